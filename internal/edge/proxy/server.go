package proxy

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http/httpguts"

	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/downstream"
	"github.com/readership/readership/internal/edge/handover"
	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/event"
)

// Source is where routes come from. Safe for concurrent use.
type Source interface {
	// RoutesVersion changes whenever Sites or Routes would answer something else.
	RoutesVersion() uint64
	Sites() []*event.Site
	// Routes returns a site's table as it is stored: a JSON array of event.Route.
	Routes(site string) ([]byte, bool)
}

// Config says how a Server works.
type Config struct {
	Source Source
	// File, if it is not nil, has tables that take the place of stored ones.
	File *File
	// Gate decides about routes with an access block. Without it these answer 503.
	Gate Gate
	// Own answers what lies below Prefix on every host that has routes, with
	// Prefix taken off, if Serves says that the address may be reached from
	// there. Prefix begins and ends with a slash; nil Own: nothing is reserved.
	Own    http.Handler
	Serves func(path string) bool
	Prefix string
	// Redirect sends readers who come without TLS to the same address with it.
	Redirect bool
	// Certificates has what is shown on TLS listeners; nil: there are none.
	Certificates *Certificates
	// OriginRoots are whom https origins are certified by; nil: those of the system.
	OriginRoots *x509.CertPool

	// Dial connects to origins; default net.Dialer.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default none
	Metrics prometheus.Registerer
	Limits  Limits
}

// Limits bound what requests take of origins; what they take of us the listeners
// bound (edge.Guard). Zero values have defaults.
type Limits struct {
	OriginRequests int           // to one origin under way; 1,024. More go to others, or are answered 503
	ConnectTime    time.Duration // to connect to an origin; 3 s
	StallTime      time.Duration // without a byte, of a body either way or an upgraded connection; 2 min
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setTime := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.OriginRequests, 1024)
	setTime(&l.ConnectTime, 3*time.Second)
	setTime(&l.StallTime, 2*time.Minute)
	return l
}

// Server is the reverse proxy. Serve may be called for several listeners;
// Shutdown ends all of them.
type Server struct {
	cfg      Config
	http     *http.Server              // of TLS, and of connections with requests that are not plain
	general  *handover.Listener        // hands these on
	front    func() *downstream.Server // of plain ones, made for the first listener
	errorLog *log.Logger
	metrics  *metrics
	pool     pool

	base   context.Context // ends with the server: upgraded connections and checks do too
	cancel context.CancelFunc
	calls  sync.WaitGroup // handlers, also of upgraded connections

	building  sync.Mutex // over making tables
	live      atomic.Pointer[live]
	exchanges sync.Pool
	challenge http.Handler // of ACME on plain connections; nil without
}

// live is the table in force with what serves it. It is immutable.
type live struct {
	version   uint64
	file      uint64
	table     *route.Table
	balancers map[*route.Rule]*balancer
	counters  map[*route.Rule]*counters
	faults    []string
}

// New makes a Server. It runs nothing before the first table is asked for, but
// must be shut down.
func New(cfg Config) *Server {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	s := &Server{cfg: cfg, errorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug)}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.metrics = newMetrics(cfg.Metrics, s)
	s.exchanges.New = func() any { return s.newExchange() }
	s.general = handover.NewListener()
	s.front = sync.OnceValue(s.newFront)
	s.http = &http.Server{Handler: s, ErrorLog: s.errorLog,
		BaseContext: func(net.Listener) context.Context { return s.base }}
	if cfg.Certificates != nil {
		cfg.Certificates.serves = func(host string) bool { return s.current().table.Serves(host) }
		s.http.TLSConfig = cfg.Certificates.config()
		s.challenge = cfg.Certificates.challenge(http.HandlerFunc(s.handle))
	}
	return s
}

// Bound takes over the limits of a listener that net/http keeps itself: the
// size of a request's head, the time for it. It comes before Serve.
func (s *Server) Bound(g *edge.Guard) { g.Prepare(s.http) }

// newFront makes the server of plain requests, and has the others served.
func (s *Server) newFront() *downstream.Server {
	s.calls.Go(func() { _ = s.http.Serve(s.general) }) // until Shutdown: it fails for no other reason
	return downstream.New(downstream.Config{Handler: s, General: s.general, Base: context.WithValue(s.base, http.ServerContextKey, s.http),
		HeadBytes: cmp.Or(s.http.MaxHeaderBytes, http.DefaultMaxHeaderBytes) + edge.HeadSlack,
		HeadTime:  cmp.Or(s.http.ReadHeaderTimeout, 30*time.Second), IdleTime: cmp.Or(s.http.IdleTimeout, time.Minute), ErrorLog: s.errorLog})
}

// Serve answers on a listener until Shutdown; it closes the listener.
func (s *Server) Serve(l net.Listener) error { return s.front().Serve(l) }

// ServeTLS is Serve for connections that begin with TLS, with HTTP/2.
func (s *Server) ServeTLS(l net.Listener) error { return serving(s.http.ServeTLS(l, "", "")) }

func serving(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, waits until ctx ends for what is under way, and
// ends what is left: nothing runs any more when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	front := s.front()
	front.Drain()
	err := errors.Join(s.http.Shutdown(ctx), front.Wait(ctx))
	if err != nil {
		_ = s.http.Close()
	}
	_ = s.general.Close()
	s.cancel()
	s.calls.Wait()
	s.pool.close()
	return err
}

// close ends the checks and idle connections of all origins.
func (p *pool) close() {
	p.mu.Lock()
	for _, o := range p.origins {
		o.retire()
	}
	p.origins = nil
	p.mu.Unlock()
	p.checks.Wait()
}

// current returns the table in force. Who finds that it is an old one makes the
// new one; others go on with the old one meanwhile.
func (s *Server) current() *live {
	l := s.live.Load()
	if l != nil && l.version == s.cfg.Source.RoutesVersion() && l.file == s.cfg.File.version() {
		return l
	}
	if l != nil {
		if !s.building.TryLock() {
			return l
		}
	} else {
		s.building.Lock()
	}
	defer s.building.Unlock()
	return s.build()
}

// Refresh returns once every request that arrives from now on meets the routes
// as the source has them now.
func (s *Server) Refresh() {
	s.building.Lock()
	defer s.building.Unlock()
	s.build()
}

// build makes the table anew if it is an old one. The caller holds building.
func (s *Server) build() *live {
	version, file := s.cfg.Source.RoutesVersion(), s.cfg.File.version()
	old := s.live.Load()
	if old != nil && old.version == version && old.file == file {
		return old
	}
	l := &live{version: version, file: file, balancers: map[*route.Rule]*balancer{}, counters: map[*route.Rule]*counters{}}
	l.table, l.faults = route.Build(s.cfg.Source.Sites(), s.routesOf)
	origins := s.take(l.table)
	l.table.Each(func(r *route.Rule) {
		l.balancers[r] = newBalancer(r, origins)
		l.counters[r] = s.metrics.of(r.Site.ID)
	})
	for _, fault := range l.faults {
		s.cfg.Logger.Warn("a route is left out", "fault", fault)
	}
	s.live.Store(l)
	return l
}

// Fixed returns the table of a site that the file names.
func (s *Server) Fixed(site string) ([]event.Route, bool) { return s.cfg.File.Routes(site) }

// routesOf returns a site's routes: those of the file, else the stored ones.
func (s *Server) routesOf(site *event.Site) []event.Route {
	if routes, ok := s.cfg.File.Routes(site.ID); ok {
		return routes
	}
	value, ok := s.cfg.Source.Routes(site.ID)
	if !ok {
		return nil
	}
	routes, err := event.DecodeRoutes(value)
	if err != nil {
		s.cfg.Logger.Error("routes cannot be read", "site", site.ID, "error", err)
	}
	return routes
}

// expirySoon is when a certificate's end is worth a warning.
const expirySoon = 14 * 24 * time.Hour

// Warnings say what an operator should know: routes that are left out, origins
// that give no answer.
func (s *Server) Warnings() []string {
	l := s.live.Load()
	if l == nil {
		return nil
	}
	out := append([]string{}, l.faults...)
	if err := s.cfg.File.failure(); err != nil {
		out = append(out, "the routes in force are those from before the file was changed: "+err.Error())
	}
	now := s.cfg.Now()
	if s.cfg.Certificates != nil {
		if end, ok := s.cfg.Certificates.Expiry(); ok && end.Sub(now) < expirySoon {
			out = append(out, "a certificate of the proxy ends at "+end.UTC().Format(time.RFC3339)+": replace its files, they are read again at once")
		}
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, o := range s.pool.origins {
		if why := o.trouble.Load(); why != nil && !o.well(now) {
			out = append(out, "origin "+o.key.url+" is not well: "+*why)
		}
	}
	return out
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	defer s.calls.Done()
	edge.CloseUnclear(w, r)
	if r.ProtoMajor > 1 {
		w = &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), stall: s.cfg.Limits.StallTime}
	}
	if s.challenge != nil && r.TLS == nil && strings.HasPrefix(r.URL.Path, challengePrefix) {
		s.challenge.ServeHTTP(w, r)
		return
	}
	s.handle(w, r)
}

// handle finds what a request is for.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	l := s.current()
	host := route.Host(r.Host)
	path, clean := route.Clean(r.URL)
	switch {
	case !l.table.Serves(host):
		s.metrics.unknown.Inc()
		refuse(w, r, http.StatusNotFound, "No site is served under this name.")
		return
	case !clean:
		refuse(w, r, http.StatusBadRequest, "The address has dots as a part of its path, or bytes that no address has.")
		return
	case !httpguts.ValidHeaderFieldName(r.Method): // HTTP/2 lets it pass
		refuse(w, r, http.StatusBadRequest, "The method is none.")
		return
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace: // which answers with what the origin was told of the reader
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		refuse(w, r, http.StatusMethodNotAllowed, "Nobody is connected through here, and no request is sent back.")
		return
	}
	if s.cfg.Own != nil && strings.HasPrefix(r.URL.Path, s.cfg.Prefix) {
		s.own(w, r)
		return
	}
	rule := l.table.Match(host, path)
	if rule == nil {
		s.metrics.unknown.Inc()
		refuse(w, r, http.StatusNotFound, "There is nothing at this address.")
		return
	}
	p := peerOf(r, rule.Trusted)
	if s.cfg.Redirect && !p.secure {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "https://"+redirectHost(r.Host)+r.URL.RequestURI(), http.StatusPermanentRedirect)
		return
	}
	s.answer(w, r, rule, l, p)
}

// redirectHost is the host without the port, which is the plain listener's.
func redirectHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		if strings.IndexByte(name, ':') >= 0 {
			return "[" + name + "]"
		}
		return name
	}
	return host
}

// own answers below the reserved prefix.
func (s *Server) own(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path[len(s.cfg.Prefix)-1:]
	if !s.cfg.Serves(path) {
		refuse(w, r, http.StatusNotFound, "There is nothing at this address.")
		return
	}
	inner := *r
	address := *r.URL
	address.Path = path
	if raw, ok := strings.CutPrefix(address.RawPath, s.cfg.Prefix[:len(s.cfg.Prefix)-1]); ok {
		address.RawPath = raw
	} else {
		address.RawPath = ""
	}
	inner.URL = &address
	inner.RequestURI = address.RequestURI()
	s.cfg.Own.ServeHTTP(w, &inner)
}

// answer asks the gate where the rule wants it and sends the request on.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, rule *route.Rule, l *live, p peer) {
	e := s.exchanges.Get().(*exchange)
	e.rule, e.balance, e.peer = rule, l.balancers[rule], p
	count := l.counters[rule]
	count.running.Inc()
	defer count.running.Dec()
	if upgrade := r.Header["Upgrade"]; len(upgrade) > 0 && !websocket(r) {
		// Through any other protocol requests could follow that nobody looks at.
		r = r.Clone(r.Context())
		r.Header.Del("Upgrade")
		r.Header.Del("Http2-Settings")
	}
	if rule.Access != "" && !e.ask(w, r) {
		count.answered(e.status)
	} else {
		e.forward(w, r)
		count.answered(e.status)
	}
	// A request that broke off leaves by a panic; its exchange is not used again.
	e.reset()
	s.exchanges.Put(e)
}

// websocket says whether a request asks for one.
func websocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")
}

// ask asks the gate; false says that the answer has been given.
func (e *exchange) ask(w http.ResponseWriter, r *http.Request) (forward bool) {
	s := e.server
	if s.cfg.Gate == nil {
		e.status = http.StatusServiceUnavailable
		refuse(w, r, e.status, "Nothing here decides who may read this page.")
		return false
	}
	outcome, err := s.cfg.Gate.Ask(r.Context(), &Question{Site: e.rule.Site, Access: e.rule.Access, OnDeny: e.rule.OnDeny,
		Request: r, Address: e.peer.reader, Secure: e.peer.secure})
	if err != nil {
		var unavailable *Unavailable
		if errors.As(err, &unavailable) && unavailable.Open {
			e.fell = true
			return true
		}
		s.cfg.Logger.Warn("no decision, the page is not served", "site", e.rule.Site.ID, "access", e.rule.Access, "error", err)
		e.status = http.StatusServiceUnavailable
		refuse(w, r, e.status, "It cannot be decided at the moment who may read this page. Try again in a moment.")
		return false
	}
	if outcome.Action != Serve {
		e.outcome = outcome
		return true
	}
	page := outcome.Page
	addHeaders(w.Header(), page.Header)
	addHeaders(w.Header(), outcome.Answer)
	e.status = page.Status
	w.WriteHeader(page.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Body) // nobody is told of a reader who left
	}
	return false
}

// patientWriter writes answers over HTTP/2, where a reader's stream may stall
// while its connection does not.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

// Write implements http.ResponseWriter.
func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) // not all writers have deadlines
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the stream.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var _ http.Handler = (*Server)(nil)
