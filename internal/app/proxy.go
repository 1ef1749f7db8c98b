package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/readership/readership/internal/api"
	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/proxy"
	"github.com/readership/readership/internal/event"
)

// ProxyConfig says how the reverse proxy serves the sites' hosts.
type ProxyConfig struct {
	// Listen is its address for plain HTTP, TLSListen the one for TLS; "" for none.
	Listen, TLSListen string
	// Routes is a file of routes by site; "" for none.
	Routes string
	// Prefix begins the addresses on the sites' own hosts at which events are
	// taken. "/" reserves none.
	Prefix string
	// Redirect sends readers on the plain address to the same one with TLS.
	Redirect bool
	// Certificates and Keys are files, as many of these as of those.
	Certificates, Keys []string
	// ACME has certificates made for hosts that have routes. Directory is the
	// address of the server, Let's Encrypt's if empty; Roots is a file with who
	// certifies it, if that is not the system's affair; Email is told before a
	// certificate ends.
	ACME                                bool
	ACMEDirectory, ACMERoots, ACMEEmail string
}

func (c *ProxyConfig) validate() error {
	switch {
	case len(c.Certificates) != len(c.Keys):
		return fmt.Errorf("%w: --proxy-cert names %d files, --proxy-key %d: each certificate needs its key", ErrUsage, len(c.Certificates), len(c.Keys))
	case c.TLSListen != "" && len(c.Certificates) == 0 && !c.ACME:
		return fmt.Errorf("%w: --proxy-tls-listen needs certificates: --proxy-cert with --proxy-key, or --proxy-acme", ErrUsage)
	case c.TLSListen == "" && (len(c.Certificates) > 0 || c.ACME):
		return fmt.Errorf("%w: certificates need --proxy-tls-listen", ErrUsage)
	case c.Redirect && (c.Listen == "" || c.TLSListen == ""):
		return fmt.Errorf("%w: --proxy-redirect needs --proxy-listen and --proxy-tls-listen", ErrUsage)
	case c.Prefix != "" && (c.Prefix[0] != '/' || c.Prefix[len(c.Prefix)-1] != '/' || strings.Contains(c.Prefix, "//")):
		return fmt.Errorf("%w: --proxy-prefix %q does not begin and end with a slash", ErrUsage, c.Prefix)
	}
	return nil
}

func (c *ProxyConfig) wanted() bool { return c.Listen != "" || c.TLSListen != "" }

// proxied is the running reverse proxy.
type proxied struct {
	server     *proxy.Server
	plain, tls net.Listener // nil for none
	done       []chan struct{}
}

// newProxy makes the reverse proxy, if one is wanted. It listens later: the
// interface that it hands requests to is made of it.
func (n *node) newProxy(registry prometheus.Registerer) error {
	cfg := &n.cfg.Proxy
	if !cfg.wanted() {
		return nil
	}
	c := proxy.Config{Source: n.engine, Gate: n.gate, Redirect: cfg.Redirect, Now: n.cfg.Now, Logger: n.cfg.Logger, Metrics: registry}
	var err error
	if cfg.Routes != "" {
		if c.File, err = proxy.OpenFile(cfg.Routes); err != nil {
			return fmt.Errorf("%w: --proxy-routes: %w", ErrUsage, err)
		}
	}
	if cfg.TLSListen != "" {
		if c.Certificates, err = n.certificates(); err != nil {
			return err
		}
	}
	if cfg.Prefix != "/" {
		c.Own, c.Prefix = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.api.ServeHTTP(w, r) }), cfg.Prefix
		c.Serves = func(path string) bool { return api.FirstParty(path) || n.scripts.Serves(path) }
	}
	n.proxy = &proxied{server: proxy.New(c)}
	n.stops.add("proxy", func() error { return n.proxy.stop(0) })
	return nil
}

func (n *node) certificates() (*proxy.Certificates, error) {
	cfg := &n.cfg.Proxy
	var pairs []proxy.KeyPair
	for i := range cfg.Certificates {
		pairs = append(pairs, proxy.KeyPair{Certificate: cfg.Certificates[i], Key: cfg.Keys[i]})
	}
	var from *proxy.ACME
	if cfg.ACME {
		from = &proxy.ACME{Directory: cfg.ACMEDirectory, Email: cfg.ACMEEmail, Cache: n.path("certificates")}
		if cfg.ACMERoots != "" {
			text, err := os.ReadFile(cfg.ACMERoots)
			if err != nil {
				return nil, fmt.Errorf("%w: --proxy-acme-roots: %w", ErrUsage, err)
			}
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("%w: --proxy-acme-roots: %s has no certificate", ErrUsage, cfg.ACMERoots)
			}
			from.Client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		}
	}
	c, err := proxy.OpenCertificates(pairs, from)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return c, nil
}

// listenProxy opens the proxy's listeners.
func (n *node) listenProxy(context.Context) error {
	p, cfg := n.proxy, &n.cfg.Proxy
	if p == nil {
		return nil
	}
	p.server.Refresh()
	limits := n.edgeConfig()
	for _, l := range []struct {
		flag    string
		address *string
		to      *net.Listener
		serve   func(net.Listener) error
	}{{"--proxy-listen", &cfg.Listen, &p.plain, p.server.Serve}, {"--proxy-tls-listen", &cfg.TLSListen, &p.tls, p.server.ServeTLS}} {
		if *l.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", *l.address)
		if err != nil {
			return fmt.Errorf("%s %s: %w", l.flag, *l.address, err)
		}
		*l.address = listener.Addr().String() // the same port if we start again
		*l.to = listener
		guard := edge.NewGuard(listener, limits)
		if len(p.done) == 0 {
			p.server.Bound(guard)
		}
		done := make(chan struct{})
		p.done = append(p.done, done)
		go func() {
			defer close(done)
			if err := l.serve(guard); err != nil {
				n.front.fail(fmt.Errorf("proxy: %w", err))
			}
		}()
	}
	n.background("files of the proxy", p.server.WatchFiles)
	return nil
}

// stop stops accepting and waits for requests under way.
func (p *proxied) stop(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := p.server.Shutdown(ctx)
	for _, done := range p.done {
		<-done
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // what was still under way has been cut off
	}
	return err
}

// routing is the proxy as the interface sees it.
type routing struct{ proxied *proxied }

// Fixed implements api.Routing.
func (r routing) Fixed(site string) ([]event.Route, bool) { return r.proxied.server.Fixed(site) }

// Serving implements api.Routing.
func (r routing) Serving(context.Context) error {
	r.proxied.server.Refresh()
	return nil
}

var _ api.Routing = routing{}
