package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/auth/credentials"
	"github.com/readership/readership/internal/demo"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/store"
)

// demoEmail is who signs in to the sample newspaper.
const demoEmail = "editor@harbourpost.example"

// announce prints the addresses and, on a folder without people, the address
// of the first start.
func (n *node) announce(ctx context.Context) error {
	out := n.cfg.Out
	fmt.Fprintf(out, "Readership %s serves %s\n", n.cfg.Version, url(n.front.listener.Addr()))
	if n.fast != nil {
		fmt.Fprintf(out, "Collection, fast listener: %s\n", url(n.fast.listener.Addr()))
	}
	if p := n.proxy; p != nil && p.plain != nil {
		fmt.Fprintf(out, "Reverse proxy: %s\n", url(p.plain.Addr()))
	}
	if p := n.proxy; p != nil && p.tls != nil {
		fmt.Fprintf(out, "Reverse proxy, TLS: %s\n", strings.Replace(url(p.tls.Addr()), "http:", "https:", 1))
	}
	if n.store == nil {
		fmt.Fprintln(out, "The dashboard is served by the process of the role api.")
	} else if n.cfg.Demo {
		password, err := n.demoPerson(ctx)
		if err != nil {
			return fmt.Errorf("sample newspaper: %w", err)
		}
		if password == "" {
			password = "the one that was chosen since"
		}
		fmt.Fprintf(out, "Sign in to the sample newspaper with\n  e-mail    %s\n  password  %s\n", demoEmail, password)
	} else if token, err := credentials.NewSetupToken(ctx, n.store, n.cfg.Now, n.cfg.Random); err != nil {
		return fmt.Errorf("first start: %w", err)
	} else if token != "" {
		fmt.Fprintf(out, "Nobody can sign in yet. Open within the hour:\n  %s/setup?token=%s\n", url(n.front.listener.Addr()), token)
	}
	if p := n.proxy; p != nil && n.cfg.ProxyStarted != nil {
		var plain, tls net.Addr
		if p.plain != nil {
			plain = p.plain.Addr()
		}
		if p.tls != nil {
			tls = p.tls.Addr()
		}
		n.cfg.ProxyStarted(plain, tls)
	}
	if n.cfg.Started != nil {
		if n.fast != nil {
			n.cfg.Started(n.front.listener.Addr(), n.fast.listener.Addr())
		} else {
			n.cfg.Started(n.front.listener.Addr(), nil)
		}
	}
	return nil
}

// demoPerson creates the sample newspaper's site and person and returns the
// password, which stays the same; "" if the person has another by now.
func (n *node) demoPerson(ctx context.Context) (password string, err error) {
	if _, ok := n.engine.Site(demo.SiteID); !ok {
		site := demo.Site()
		value, err := json.Marshal(&site)
		if err != nil {
			return "", err
		}
		position, err := n.facts.CommitFacts(ctx, event.Fact{Kind: event.FactSite, Key: site.ID, Value: value})
		if err != nil {
			return "", err
		}
		if err := n.engine.Wait(ctx, position); err != nil {
			return "", err
		}
		if _, err := n.keys.CreateWriteKey(ctx, site.ID, "sample newspaper"); err != nil {
			return "", err
		}
	}
	secret, err := n.store.Secret(ctx, "demo password", 9, n.cfg.Random)
	if err != nil {
		return "", err
	}
	password = base64.RawURLEncoding.EncodeToString(secret)
	person, err := n.store.PersonByEmail(ctx, demoEmail)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return password, n.newDemoPerson(ctx, password)
	case err != nil:
		return "", err
	}
	if same, err := n.hasher.Verify(ctx, person.PasswordHash, password); err != nil || !same {
		return "", err
	}
	return password, nil
}

func (n *node) newDemoPerson(ctx context.Context, password string) error {
	hash, err := n.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	id, err := auth.NewID(n.cfg.Random, n.cfg.Now(), "person")
	if err != nil {
		return err
	}
	now := n.cfg.Now().UnixMilli()
	return n.store.CreatePerson(ctx, store.Person{ID: id, Email: demoEmail, Name: "Sample editor", Role: auth.RoleAdmin,
		PasswordHash: hash, CreatedAt: now, UpdatedAt: now})
}

// startDemo starts the sample newspaper if it is wanted. stop waits for it.
func (n *node) startDemo(ctx context.Context) (stop func(), err error) {
	if !n.cfg.Demo {
		return func() {}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := demo.Run(ctx, demo.Config{Committer: n.facts, Site: func() (*event.Site, bool) { return n.engine.Site(demo.SiteID) },
			State: n.path("demo.json"), Days: n.cfg.DemoDays, Seed: 1, Now: n.cfg.Now, Logger: n.cfg.Logger,
			Past: func(events int, took time.Duration) {
				n.cfg.Logger.Info("the sample newspaper's past is written", "events", events, "took", took.Round(time.Millisecond))
			}})
		if err != nil {
			n.cfg.Logger.Error("the sample newspaper stopped", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}
