package main

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/importer"
)

const importUsage = "access-log|events|catalog FILE… --site SITE [--server URL]"

const importAbout = `Sends files to a running server, plain or compressed with gzip or zstd; - is
standard input.

  access-log  Apache's common and combined formats, nginx's default, combined with
              the virtual host in front, JSON of nginx and Caddy, CloudFront, Amazon's
              load balancers, HAProxy; found from the first lines
  events      one JSON object a line, as POST /v1/events takes them
  catalog     items: one JSON object a line, as PUT …/items/{id} takes them and with
              their id, or CSV whose first line names the fields (attributes.NAME for
              your own; | between several tags, authors or aliases)

Each line of a log gets an id made from the line, where it has none, so an import that
was interrupted is run again and stores nothing twice, for 48 hours also when
the file was renamed, compressed or cut. Items are written by their ids; those that
stand in the catalogue as they are are not written again.

With --follow what is written to access logs is sent as they grow, also after
they were rotated, until the command is stopped; it waits for a server that is
away. How far each log was acknowledged is kept under --positions.

Environment:
  READERSHIP_API_KEY   a key with the scopes events:import and, to say what lies
                       outside the window, sites:read; for items catalog:write`

// importFiles sends files to a server.
func importFiles(ctx context.Context, c console, args []string) error {
	o := importer.Options{Stdin: c.in, Out: c.out, Err: c.err, TTY: c.tty, Now: time.Now}
	var server string
	f := newFlags(c, "import", importUsage, importAbout)
	f.StringVar(&o.Site, "site", "", "`SITE` that the events or items belong to")
	f.StringVar(&server, "server", defaultServer, "`URL` of the server")
	f.StringVar(&o.As, "as", "request", "`TYPE` that requests become: request or page_view")
	f.StringVar(&o.Format, "format", "auto", "`FORMAT` of the access log: "+importer.FormatNames())
	f.StringVar(&o.Host, "host", "", "`HOST` of the addresses of an access log that names none")
	f.BoolVar(&o.PagesOnly, "pages-only", false, "leave out images, scripts, errors and other requests that are no pages")
	f.BoolVar(&o.Advance, "advance", false, "let an event move a site's event clock by more than 7 days")
	f.DurationVar(&o.Patience, "patience", 2*time.Minute, "`TIME` for which a server that is busy or lost is asked again")
	follow := f.Bool("follow", false, "go on with what is written to the access logs, until stopped")
	f.StringVar(&o.Positions, "positions", positionsFolder(c), "`FOLDER` where --follow keeps how far it is")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return usagef("say what to import: access-log, events or catalog")
	}
	switch rest[0] {
	case "access-log":
		o.Kind = importer.AccessLog
	case "events":
		o.Kind = importer.Events
	case "catalog":
		o.Kind = importer.Catalog
	default:
		return usagef("unknown kind of file %q: it is access-log, events or catalog", rest[0])
	}
	o.Files = rest[1:]
	switch {
	case len(o.Files) == 0:
		return usagef("name at least one file, or - for standard input")
	case o.Site == "":
		return usagef("--site is missing")
	case o.As != "request" && o.As != "page_view":
		return usagef("--as %q: it is request or page_view", o.As)
	case *follow && o.Kind != importer.AccessLog:
		return usagef("--follow is for access logs")
	case *follow && slices.Contains(o.Files, "-"):
		return usagef("--follow takes files by name, not standard input")
	case *follow && o.Positions == "":
		return usagef("--positions is missing: there is no home folder to keep them in")
	case !*follow && f.given("positions"):
		return usagef("--positions is for --follow")
	}
	if o.Kind == importer.Catalog {
		for _, name := range []string{"as", "format", "host", "pages-only", "advance"} {
			if f.given(name) {
				return usagef("--%s is not for catalogues", name)
			}
		}
	}
	if o.Format != "auto" {
		if _, err := importer.ParseFormat(o.Format); err != nil {
			return usagef("--format: %v", err)
		}
	}
	api, err := connect(c, server)
	if err != nil {
		return err
	}
	defer api.Close()
	if *follow {
		if !f.given("patience") {
			o.Patience = 0 // without end
		}
		_, err := importer.Follow(ctx, api, o)
		return err
	}
	sum, err := importer.Run(ctx, api, o)
	if err != nil {
		return err
	}
	if sum.Lines > 0 && sum.Rejected == sum.Lines {
		return errNothing
	}
	return nil
}

// positionsFolder is in the user's folder for the state of programs, "" if there
// is none.
func positionsFolder(c console) string {
	if folder := c.getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "readership")
	}
	if home := c.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "readership")
	}
	return ""
}

// defaultServer is where a server listens that was started without flags.
const defaultServer = "http://127.0.0.1:8080"

// connect makes a client with the key of the environment.
func connect(c console, server string) (*client.Client, error) {
	api, err := client.New(server, c.getenv("READERSHIP_API_KEY"))
	if err != nil {
		return nil, usagef("--%v", err)
	}
	return api, nil
}
