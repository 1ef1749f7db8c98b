package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/schema"
)

// siteFlags are the settings of the site that a program is checked for: written
// out, or asked of a running server.
type siteFlags struct {
	timezone, weekStart, window string
	server, site                string
	set                         func(name string) bool
}

func (s *siteFlags) add(f *flags) {
	f.StringVar(&s.timezone, "timezone", "UTC", "`ZONE` of the site")
	f.StringVar(&s.weekStart, "week-start", "monday", "`DAY` on which its weeks begin")
	f.StringVar(&s.window, "window", "30d", "`SPAN` that it keeps events for")
	f.StringVar(&s.site, "site", "", "`SITE` of a running server, instead: its settings, and the names that it has seen")
	f.StringVar(&s.server, "server", "", "`URL` of the server (default "+defaultServer+" with --site)")
	s.set = f.given
}

// live tells whether a server is asked, or what is wrong with the flags.
func (s *siteFlags) live() (bool, error) {
	switch {
	case s.site == "" && s.server == "":
		return false, nil
	case s.site == "":
		return false, usagef("--server needs --site")
	case s.set("timezone") || s.set("week-start") || s.set("window"):
		return false, usagef("with --site its own time zone, week and window count: leave out --timezone, --week-start and --window")
	}
	if s.server == "" {
		s.server = defaultServer
	}
	return true, nil
}

// connect makes the client of the server that the flags name.
func (s *siteFlags) connect(c console) (*client.Client, error) {
	server, err := client.New(s.server, c.getenv("READERSHIP_API_KEY"))
	if err != nil {
		return nil, usagef("%v", err)
	}
	return server, nil
}

// schema returns what programs of the site are checked against, and values of
// its names if a server knows them.
func (s *siteFlags) schema(ctx context.Context, c console) (*schema.Schema, map[string][]string, error) {
	live, err := s.live()
	if err != nil {
		return nil, nil, err
	}
	if !live {
		out, err := s.written()
		return out, nil, err
	}
	server, err := s.connect(c)
	if err != nil {
		return nil, nil, err
	}
	defer server.Close()
	return liveSchema(ctx, server, s.site)
}

func liveSchema(ctx context.Context, server *client.Client, site string) (*schema.Schema, map[string][]string, error) {
	seen, err := server.Schema(ctx, site)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s about the site %s: %w", server.Server(), site, errors.New(client.Explain(err)))
	}
	out, err := seen.Rubric()
	return out, seen.Values(), err
}

// written returns the schema of the flags.
func (s *siteFlags) written() (*schema.Schema, error) {
	out := schema.Default()
	zone, err := time.LoadLocation(s.timezone)
	if err != nil || s.timezone == "" || s.timezone == "Local" {
		return nil, usagef("there is no time zone %q", s.timezone)
	}
	window, err := event.ParseDuration(s.window)
	if err != nil || window <= 0 {
		return nil, usagef("%q is no span: write 30d or 12h", s.window)
	}
	out.Calendar.Zone, out.Window = zone, window.Milliseconds()
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(day.String(), s.weekStart) {
			out.Calendar.WeekStart = day
			return out, nil
		}
	}
	return nil, usagef("there is no day %q", s.weekStart)
}
