// Package importer reads files of access logs, of events and of catalogues and
// sends them to a running server. Every line of a log gets an id that is a hash
// of the line, and items have ids: so a file can be sent again, whole or cut,
// renamed or compressed, and stores nothing twice. An import that was
// interrupted is simply run again.
//
// A first pass reads the times and says what lies outside the site's window; of
// a catalogue, which has no times, it looks at the names of the columns. The
// second translates lines and sends them in parts, in the order of the file,
// while the next part is prepared.
package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/edge/route"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/problem"
)

// Kind says what the files hold.
type Kind int

// The kinds of files.
const (
	AccessLog Kind = iota
	Events         // NDJSON of POST /v1/events
	Catalog        // items as NDJSON or CSV (catalog.go)
)

// Options say what to import and where to report.
type Options struct {
	Kind    Kind
	Files   []string // "-" is standard input
	Site    string
	Advance bool // an event clock may be moved by more than 7 days at once

	// Of access logs only.
	Format    string // "" or "auto": found from the first lines
	As        string // request (default) or page_view
	Host      string // the host of addresses that the log gives as a path
	PagesOnly bool   // leave out parts of pages and what was not answered

	Stdin    io.Reader
	Out      io.Writer // what an import is about, and its summary
	Err      io.Writer // progress, rejected lines, retries
	TTY      bool      // Err is a terminal
	Patience time.Duration
	PartSize int // bytes of one request's body; 0 is 16 MB, of items 1 MB
	Now      func() time.Time

	// Of logs that are followed only.
	Positions string                                           // the folder where it is kept how far each was acknowledged
	Wait      func(ctx context.Context, d time.Duration) error // nil: until the time has passed or ctx has ended

	grace time.Duration // 0: stopGrace
}

// Summary is what became of the lines.
type Summary struct {
	Lines      int64
	Stored     int64
	Created    int64 // of the items that were stored
	Duplicates int64 // items: those that stood in the catalogue as they are
	Rejected   int64
	Skipped    int64 // not wanted: blank, or left out by PagesOnly; items: a later line of the part has the id
}

const (
	defaultPart = 16 << 20
	// maxShown bounds the rejected lines that are printed, of each reason.
	maxShown = 100
)

// translator makes the JSON of an event of each line.
type translator interface {
	translate(dst, line []byte) (out []byte, skip bool, err error)
}

// Run imports the files. It returns an error when it could not finish; lines
// that were rejected are no error, they are counted and printed.
func Run(ctx context.Context, c *client.Client, o Options) (*Summary, error) {
	o.fill()
	if o.As != event.TypeRequest && o.As != event.TypePageView {
		return nil, fmt.Errorf("--as %q: it is request or page_view", o.As)
	}
	r := newRun(c, o)
	if err := r.plan(ctx); err != nil {
		return nil, err
	}
	begin := o.Now()
	r.progress.begin()
	return r.conclude(begin, r.send(ctx))
}

// fill sets what was left open.
func (o *Options) fill() {
	if o.As == "" {
		o.As = event.TypeRequest
	}
	if o.PartSize <= 0 {
		o.PartSize = defaultPart
		if o.Kind == Catalog {
			o.PartSize = catalogPart
		}
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.grace == 0 {
		o.grace = stopGrace
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func newRun(c *client.Client, o Options) *run {
	r := &run{o: o, client: c, noun: "events", shown: make(map[string]int)}
	if o.Kind == Catalog {
		r.noun = "items"
	}
	r.progress = progress{w: o.Err, tty: o.TTY, now: o.Now, noun: r.noun, plain: lineEvery}
	return r
}

// conclude prints what became of the lines since begin, and what went wrong.
func (r *run) conclude(begin time.Time, err error) (*Summary, error) {
	o, s := &r.o, &r.sum
	r.progress.clear()
	r.hidden()
	if o.Kind == Catalog {
		fmt.Fprintf(o.Out, "%s created, %s updated, %s unchanged", thousands(s.Created), thousands(s.Stored-s.Created), thousands(s.Duplicates))
	} else {
		fmt.Fprintf(o.Out, "%s stored, %s", thousands(s.Stored), plural(s.Duplicates, "duplicate"))
	}
	fmt.Fprintf(o.Out, ", %s rejected", thousands(s.Rejected))
	if s.Skipped > 0 {
		why := "left out"
		if o.Kind == Catalog {
			why = "written anew by a later line"
		}
		fmt.Fprintf(o.Out, ", %s %s", thousands(s.Skipped), why)
	}
	took := o.Now().Sub(begin)
	fmt.Fprintf(o.Out, " of %s in %s", plural(s.Lines, "line"), took.Round(10*time.Millisecond))
	if took >= time.Second {
		fmt.Fprintf(o.Out, " (%s %s/s)", thousands(int64(float64(s.Stored+s.Duplicates)/took.Seconds())), r.noun)
	}
	fmt.Fprintln(o.Out)
	if err != nil {
		return s, fmt.Errorf("the import did not finish: %s\n%s", client.Explain(err), r.advice(err))
	}
	return s, nil
}

// advice says what to do about an import that broke off.
func (r *run) advice(err error) string {
	scope := "events:import"
	if r.o.Kind == Catalog {
		scope = "catalog:write"
	}
	p, ok := problem.As(err)
	switch {
	case ok && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden):
		return "It needs an API key with the scope " + scope + " for this site"
	case ok && p.Status >= 400 && p.Status < 500 && p.Status != http.StatusTooManyRequests:
		return "Nothing of the part that was refused is stored"
	}
	return "Run the same command again: what is stored is recognised and not stored twice"
}

// run is one import under way.
type run struct {
	o        Options
	client   *client.Client
	order    []input
	noun     string // what the lines become
	progress progress
	sum      Summary
	shown    map[string]int // rejected lines printed, by reason
}

// input is one file with what the first pass found.
type input struct {
	name   string
	format Format
	first  int64 // time of its first line that has one
}

// plan makes the first pass and prints what lies outside the window. Of a
// catalogue it looks at the names of the columns.
func (r *run) plan(ctx context.Context) error {
	if r.o.Kind == Catalog {
		return r.planItems()
	}
	rule, window, err := r.rule(ctx)
	if err != nil {
		return err
	}
	for _, name := range r.o.Files {
		in := input{name: name}
		if name == "-" {
			r.order = append(r.order, in)
			continue
		}
		if err := r.look(&in); err != nil {
			return err
		}
		r.order = append(r.order, in)
	}
	sort.SliceStable(r.order, func(i, j int) bool { return r.order[i].first < r.order[j].first })
	var s scan
	stdin := false
	for i := range r.order {
		in := &r.order[i]
		if in.name == "-" {
			stdin = true
			continue
		}
		src, err := open(in.name, nil)
		if err != nil {
			return err
		}
		var parser *Parser
		if r.o.Kind == AccessLog {
			parser = &Parser{Format: in.format}
		}
		err = s.scanFile(src, parser, rule)
		r.progress.total += src.size
		src.Close()
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if stdin {
		r.progress.total = 0
		fmt.Fprintf(r.o.Out, "standard input is read once: what lies outside the window of site %q (%s) shows as rejected\n", r.o.Site, window)
		return nil
	}
	s.finish(rule)
	fmt.Fprintln(r.o.Out, s.sentence(r.o.Site, rule, window))
	return nil
}

// planItems finds out whether the files can be read before any is sent. They are
// sent in the order of their names in the command: of items with one id the last
// counts.
func (r *run) planItems() error {
	known := true
	for _, name := range r.o.Files {
		r.order = append(r.order, input{name: name})
		if name == "-" {
			known = false
			continue
		}
		src, err := open(name, nil)
		if err != nil {
			return err
		}
		_, err = itemSource(src)
		r.progress.total += src.size
		src.Close()
		if err != nil {
			return err
		}
	}
	if !known {
		r.progress.total = 0
	}
	return nil
}

// look finds a file's format and the time of its first line.
func (r *run) look(in *input) error {
	src, err := open(in.name, nil)
	if err != nil {
		return err
	}
	defer src.Close()
	head, err := src.reader.Peek(256 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", in.name, err)
	}
	if r.o.Kind == AccessLog {
		if in.format, err = r.format(in.name, head); err != nil {
			return err
		}
	}
	parser, entry := Parser{Format: in.format}, Entry{}
	for {
		line, err := src.next()
		if err != nil && !errors.Is(err, errLongLine) {
			return nil
		}
		if r.o.Kind == Events {
			if t, ok := eventTime(line); ok {
				in.first = t
				return nil
			}
		} else if parser.Parse(line, &entry) == nil {
			in.first = entry.Time
			return nil
		}
		if src.number >= detectLines {
			return nil
		}
	}
}

func (r *run) format(name string, head []byte) (Format, error) {
	if r.o.Format != "" && r.o.Format != "auto" {
		return ParseFormat(r.o.Format)
	}
	f, err := detect(head)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// rule asks the server what the site does with times. A key that may only
// import cannot know. A host that is not the site's is refused before anything
// is sent: what was stored under it would be the duplicate of the next attempt.
func (r *run) rule(ctx context.Context) (*rule, string, error) {
	site, err := r.client.Site(ctx, r.o.Site)
	if p, ok := problem.As(err); ok && p.Status == http.StatusForbidden {
		return &rule{}, "not readable with this key", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("ask %s for site %q: %s", r.client.Server(), r.o.Site, client.Explain(err))
	}
	if r.o.Host != "" && len(site.Domains)+len(site.Aliases) > 0 && !route.Owns(&site.Site, route.Host(r.o.Host)) {
		return nil, "", fmt.Errorf("--host %s: site %q has %s; name the host in its settings first if it is the site's",
			r.o.Host, r.o.Site, strings.Join(slices.Concat(site.Domains, site.Aliases), ", "))
	}
	now := r.o.Now().UnixMilli()
	rule := &rule{known: true, event: site.Clock == event.ClockEvent, advance: r.o.Advance,
		clock: now, window: site.WindowDuration().Milliseconds()}
	window := site.Window
	if rule.event {
		window += ", event clock"
		rule.clock = eventClock(site, now)
	}
	return rule, window, nil
}

// eventClock returns the site's event clock, 0 where it is not set: an unset
// clock answers with the log's time, which is about ours.
func eventClock(site *client.Site, now int64) int64 {
	if t := site.Now.UnixMilli(); t < now-(10*time.Minute).Milliseconds() {
		return t
	}
	return 0
}

// send translates and sends the files. Parts are sent one at a time, in the
// order of the lines, so that an event clock moves as it would have; the next
// part is prepared meanwhile.
func (r *run) send(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	full, free := make(chan *part), make(chan *part, 2)
	free <- &part{body: make([]byte, 0, r.o.PartSize+MaxLine)}
	free <- &part{body: make([]byte, 0, r.o.PartSize+MaxLine)}
	sent := make(chan error, 1)
	go func() {
		var err error
		for p := range full {
			if err == nil {
				if err = r.sendPart(ctx, p); err != nil {
					cancel(err)
				}
			}
			p.reset()
			free <- p
		}
		sent <- err
	}()
	err := r.readAll(ctx, full, free)
	close(full)
	if sendErr := <-sent; sendErr != nil {
		return sendErr
	}
	return err
}

// readAll fills parts with the events of all files.
func (r *run) readAll(ctx context.Context, full chan<- *part, free <-chan *part) error {
	p := <-free
	for i := range r.order {
		in := &r.order[i]
		src, err := open(in.name, r.o.Stdin)
		if err != nil {
			return err
		}
		err = r.readFile(ctx, src, in, &p, full, free)
		p.bytes += src.read.n
		p.base += src.read.n
		src.Close()
		if err != nil {
			return err
		}
	}
	full <- p
	return nil
}

// readFile adds the events of one file to parts. Parts go on over the border
// of files.
func (r *run) readFile(ctx context.Context, src *source, in *input, p **part, full chan<- *part, free <-chan *part) error {
	next := src.next
	var t translator = &eventLines{}
	switch r.o.Kind {
	case Catalog:
		var err error
		if next, err = itemSource(src); err != nil {
			return err
		}
		t = itemLines{}
	case AccessLog:
		if in.name == "-" {
			head, err := src.reader.Peek(1)
			if err == nil {
				head, _ = src.reader.Peek(src.reader.Buffered())
			}
			if in.format, err = r.format("standard input", head); err != nil {
				return err
			}
		}
		t = r.requests(in.format)
	}
	for {
		line, err := next()
		var wrong lineError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			(*p).reject(in.name, src.number, err)
			continue
		case err != nil:
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		(*p).take(t, line, in.name, src.number)
		if len((*p).body) >= r.o.PartSize || len((*p).failed) >= maxFailed || r.o.Kind == Catalog && (*p).events >= partItems {
			base := (*p).base
			(*p).bytes = base + src.read.n
			if err := hand(ctx, full, *p); err != nil {
				return err
			}
			if *p, err = take(ctx, free); err != nil {
				return err
			}
			(*p).base = base
		}
	}
}

// requests returns what makes events of an access log's lines.
func (r *run) requests(f Format) translator {
	return &requestEvents{parser: Parser{Format: f}, ids: lineIDs{limit: maxEqual}, typ: r.o.As, host: r.o.Host, pages: r.o.PagesOnly}
}

func hand(ctx context.Context, full chan<- *part, p *part) error {
	select {
	case full <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func take(ctx context.Context, free <-chan *part) (*part, error) {
	select {
	case p := <-free:
		return p, nil
	case <-ctx.Done():
		return &part{}, context.Cause(ctx)
	}
}

// sendPart sends one part and adds up what became of it. Only the sending
// goroutine touches the summary and the printed lines.
func (r *run) sendPart(ctx context.Context, p *part) error {
	for _, f := range p.failed {
		r.reject(f.file, f.line, "unreadable", f.err.Error())
	}
	r.sum.Lines += p.lines
	r.sum.Rejected += int64(len(p.failed))
	r.sum.Skipped += p.skipped
	if p.events > 0 {
		post := r.sendEvents
		if r.o.Kind == Catalog {
			post = r.sendItems
		}
		if err := post(ctx, p); err != nil {
			return err
		}
	}
	r.progress.show(p.bytes, r.sum.Stored+r.sum.Duplicates)
	return nil
}

func (r *run) sendEvents(ctx context.Context, p *part) error {
	receipt, err := r.client.Send(ctx, p.body, r.sendOptions())
	if err != nil {
		return err
	}
	r.sum.Stored += int64(receipt.Accepted)
	r.sum.Duplicates += int64(receipt.Duplicates)
	r.sum.Rejected += int64(receipt.RejectedTotal)
	r.rejectAll(p, receipt.Rejected)
	r.shown[""] += receipt.RejectedTotal - len(receipt.Rejected)
	return nil
}

func (r *run) sendItems(ctx context.Context, p *part) error {
	receipt, err := r.client.WriteItems(ctx, p.body, r.sendOptions())
	if err != nil {
		return err
	}
	rejected, last := 0, -1
	for _, fault := range receipt.Rejected {
		if fault.Index != last {
			rejected++
		}
		last = fault.Index
	}
	r.sum.Created += int64(receipt.Created)
	r.sum.Stored += int64(receipt.Created + receipt.Updated)
	r.sum.Duplicates += int64(receipt.Unchanged)
	r.sum.Rejected += int64(rejected)
	r.sum.Skipped += int64(p.events - rejected - receipt.Created - receipt.Updated - receipt.Unchanged)
	r.rejectAll(p, receipt.Rejected)
	return nil
}

func (r *run) sendOptions() client.SendOptions {
	return client.SendOptions{
		Site: r.o.Site, Advance: r.o.Advance, Patience: r.o.Patience,
		OnRetry: func(err error, wait time.Duration) {
			r.progress.clear()
			fmt.Fprintf(r.o.Err, "%s; again in %s\n", client.Explain(err), wait)
		},
	}
}

func (r *run) rejectAll(p *part, list []client.Rejected) {
	for _, rejected := range list {
		file, line := p.place(rejected.Index)
		r.reject(file, line, rejected.Code, describe(rejected))
	}
}

// inBody is where in the body of a request a fault is, of which the user sees nothing.
var inBody = regexp.MustCompile(` at byte \d+ \(line \d+, column \d+\)$`)

func describe(e client.Rejected) string {
	text := e.Code
	if e.Path != "" {
		text += " at " + e.Path
	}
	if e.Message != "" {
		text += ": " + inBody.ReplaceAllString(e.Message, "")
	}
	return text
}

// reject prints what is wrong with a line that was not taken, the first ones of each reason.
func (r *run) reject(file string, line int, code, why string) {
	r.shown[code]++
	if r.shown[code] > maxShown {
		return
	}
	r.progress.clear()
	fmt.Fprintf(r.o.Err, "%s:%d: %s\n", file, line, why)
}

// hidden says how many rejected lines were not printed.
func (r *run) hidden() {
	n := r.shown[""]
	for code, count := range r.shown {
		if code != "" && count > maxShown {
			n += count - maxShown
		}
	}
	if n > 0 {
		fmt.Fprintf(r.o.Err, "%s more rejected lines are not shown\n", thousands(int64(n)))
	}
}
