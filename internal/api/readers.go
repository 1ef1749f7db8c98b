package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/jsontext"
	"github.com/readership/readership/internal/problem"
)

// ReaderProfile is what is known of a reader beside its rows.
type ReaderProfile struct {
	Reader     string     `json:"reader"`
	Known      bool       `json:"known" doc:"Whether it has or had rows"`
	Registered bool       `json:"registered" doc:"Whether it is an account"`
	FirstSeen  *time.Time `json:"first_seen" nullable:"true" doc:"Time of its first row ever"`
	LoggedInTo string     `json:"logged_in_to,omitempty" doc:"Of a device: the account it is logged in to"`
	Accounts   []string   `json:"accounts,omitempty" doc:"Of a device: accounts that were proven on it"`
	Devices    []string   `json:"devices,omitempty" doc:"Of an account: its devices"`
	Account    *Account   `json:"account,omitempty" doc:"Of an account: traits and entitlements"`
	Burned     []Burned   `json:"burned,omitempty" doc:"What meters have burned of it, by time"`
	Emptied    []Emptied  `json:"emptied,omitempty" doc:"Meters that were emptied, by name: when last, by whom and why"`
	AsOf       time.Time  `json:"as_of"`
	Position   string     `json:"position"`
}

// ReaderExport is everything that is kept of a reader.
type ReaderExport struct {
	ReaderProfile
	Rows []map[string]any `json:"rows" doc:"By time. joined says that a login brought the row, proven that its account was proven"`
}

// Burned is an item that a committed decision has burned of a meter.
type Burned struct {
	Meter  string    `json:"meter"`
	Item   string    `json:"item"`
	At     time.Time `json:"at"`
	Limit  int64     `json:"limit" doc:"Of the meter then"`
	Device string    `json:"device,omitempty" doc:"Of an account: the device that brought it"`
}

// Emptied says when a meter of a reader was emptied last.
type Emptied struct {
	Meter string    `json:"meter"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty" doc:"Name of the key or person"`
	Why   string    `json:"why,omitempty"`
}

// Receipt names the places that forget an erased reader, with the time by which
// each has.
type Receipt struct {
	Reader  string    `json:"reader"`
	Memory  time.Time `json:"memory" doc:"Every answer, in every replay: at once"`
	Archive time.Time `json:"archive" doc:"The archive, and what else is kept beside the log"`
	Log     time.Time `json:"log" doc:"The log, as it ages out"`
}

func (a *API) registerReaders() {
	const path = "/v1/sites/{site}/readers/{reader}"
	tags := []string{"Readers"}
	register(a, with(huma.Operation{
		OperationID: "get-reader", Method: http.MethodGet, Path: path,
		Summary: "Export what is kept of a reader", Tags: tags, Errors: problems(404, 422),
		Description: "A device's rows are those without a proven account; an account's are all that name it, and what devices did before the account was proven on them. A reader that nothing is known of is answered.",
		Responses:   map[string]*huma.Response{"200": {Description: "Profile and rows", Content: map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf[ReaderExport](a)}}}},
	}, rule{scope: auth.ReadersRead}), a.getReader)
	register(a, with(huma.Operation{
		OperationID: "erase-reader", Method: http.MethodDelete, Path: path,
		Summary: "Erase a reader", Tags: tags, Errors: problems(404, 422),
		Description: "Its rows and their copies, its profile, logins and meters are forgotten at once, in every replay too. What a device did without an account stays when the account is erased: erase the device as well. " +
			"The receipt says by when the archive and the log have forgotten.",
	}, rule{scope: auth.ReadersRead | auth.ReadersWrite}), a.eraseReader)
}

// errReader is the answer to a name that is none of a reader.
func errReader(name string) error {
	return unprocessable(problem.Fault{Location: "path.reader", Code: codeBadValue, Message: "expected device:ID or account:ID", Value: echo(name)})
}

func (a *API) getReader(ctx context.Context, in *struct {
	SitePath
	ReaderPath
}) (*huma.StreamResponse, error) {
	if _, ok := engine.SubjectName(in.Reader); !ok {
		return nil, errReader(in.Reader)
	}
	c := callOf(ctx)
	if err := a.exports.enter(ctx); err != nil {
		return nil, a.failed(ctx, err)
	}
	view, err := a.Engine.Readers(ctx, c.site.ID, c.at)
	if err != nil {
		a.exports.leave()
		return nil, a.failed(ctx, err)
	}
	r, _ := view.Reader(in.Reader)
	profile := a.profileOf(view, &r)
	if profile.Emptied, err = a.emptiedOf(c.site, &profile); err != nil {
		a.exports.leave()
		return nil, a.failed(ctx, err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer a.exports.leave()
		_, w := humago.Unwrap(h)
		w.Header().Set("Content-Type", mediaJSON)
		w.WriteHeader(http.StatusOK)
		if err := writeReader(w, &r, profile); err != nil {
			if ctx.Err() == nil && !errors.Is(err, errGone) {
				a.Logger.Error("export of a reader broke off", "request", c.id, "error", err)
			}
			panic(http.ErrAbortHandler) // cut the connection: the body must not look whole
		}
	}}, nil
}

// profileOf answers what is known of a reader beside its rows.
func (a *API) profileOf(view *engine.View, r *engine.Reader) ReaderProfile {
	out := ReaderProfile{Reader: r.Name, Known: r.Known, Registered: r.Registered(), AsOf: stamp(a.siteNow(view.Site.ID)), Position: view.Position.String()}
	if r.Known {
		at := stamp(r.FirstSeen)
		out.FirstSeen = &at
	}
	r.Others(func(name string) {
		if r.Registered() {
			out.Devices = append(out.Devices, name)
		} else {
			out.Accounts = append(out.Accounts, name)
		}
	})
	slices.Sort(out.Devices)
	slices.Sort(out.Accounts)
	r.EachBurn(func(b engine.Burn) {
		out.Burned = append(out.Burned, Burned{b.Meter, b.Item, stamp(b.Time), b.Limit, b.Device})
	})
	if account, ok := r.Login(); ok {
		out.LoggedInTo = engine.AccountSubject(account)
	}
	if r.Registered() {
		account := accountOf(r.Account, r.Profiles.Account(r.Account), a.siteNow(view.Site.ID))
		out.Account = &account
	}
	return out
}

// emptiedOf answers which meters of a reader were emptied, of those that the program
// has or that have burned something.
func (a *API) emptiedOf(site *event.Site, of *ReaderProfile) (list []Emptied, err error) {
	active, err := a.Programs.Active(site)
	if err != nil {
		return nil, err
	}
	meters := map[string]bool{}
	for _, m := range active.Plan.Meters {
		meters[m.Name] = true
	}
	for _, b := range of.Burned {
		meters[b.Meter] = true
	}
	for _, name := range slices.Sorted(maps.Keys(meters)) {
		value, ok := a.Engine.Fact(event.FactEmptied, site.ID, event.MeterKey(of.Reader, name))
		if !ok {
			continue
		}
		var e event.Emptied
		if err := json.Unmarshal(value, &e); err != nil {
			return nil, fmt.Errorf("read who emptied meter %s of %s: %w", name, of.Reader, err)
		}
		list = append(list, Emptied{name, stamp(e.At), e.By, e.Why})
	}
	return list, nil
}

// writeReader writes an export: the profile's members, then the rows one by one.
func writeReader(w http.ResponseWriter, r *engine.Reader, profile ReaderProfile) error {
	head, err := json.Marshal(profile)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 64<<10)
	write := func(b []byte) {
		if err == nil {
			if _, failed := out.Write(b); failed != nil {
				err = errGone
			}
		}
	}
	write(append(head[:len(head)-1], `,"rows":[`...))
	var rows engine.Rows
	r.Rows(-1<<62, 1<<61, &rows)
	var line []byte
	for i := 0; i < rows.Len() && err == nil; i++ {
		if i%256 == 0 {
			_ = control.SetWriteDeadline(time.Now().Add(sendTime)) // not all writers have deadlines
		}
		line = line[:0]
		if i > 0 {
			line = append(line, ',')
		}
		write(appendReaderRow(append(line, '\n'), &rows, i))
	}
	write([]byte("\n]}\n"))
	if err == nil && out.Flush() != nil {
		err = errGone
	}
	return err
}

// appendReaderRow writes a row of a reader as JSON, with the names that events
// are sent with.
func appendReaderRow(dst []byte, rows *engine.Rows, i int) []byte {
	dst = append(dst, `{"time":"`...)
	dst = stamp(rows.Time(i)).AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, `","device":`...)
	dst = jsontext.Append(dst, rows.Device(i))
	properties := 0
	rows.Each(i, func(column int, name, text string, kind event.Kind) {
		if column < int(event.NumColumns) {
			dst, kind = append(dst, ','), event.KindString
		} else if properties++; properties == 1 {
			dst = append(dst, `,"properties":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(jsontext.Append(dst, name), ':')
		if kind == event.KindString {
			dst = jsontext.Append(dst, text)
		} else {
			dst = append(dst, text...) // canonical: a number or true or false
		}
	})
	if properties > 0 {
		dst = append(dst, '}')
	}
	value, valued := rows.Value(i)
	dst = appendMeasures(dst, rows.EngagedMillis(i), rows.ScrollPercent(i), value, valued)
	if rows.Proven(i) {
		dst = append(dst, `,"proven":true`...)
	}
	if rows.Joined(i) {
		dst = append(dst, `,"joined":true`...)
	}
	return append(dst, '}')
}

// Times of a receipt.
const (
	archiveTime = 24 * time.Hour
	// logBeyond is how much longer than the longest window of a site a day of the
	// log is kept.
	logBeyond = 49 * time.Hour
)

func (a *API) eraseReader(ctx context.Context, in *struct {
	SitePath
	ReaderPath
}) (*struct{ Body Receipt }, error) {
	name, ok := engine.SubjectName(in.Reader)
	if !ok {
		return nil, errReader(in.Reader)
	}
	reader := engine.ReaderName(name)
	value, err := json.Marshal(event.Erase{Giver: a.Links.Giver(in.Site, reader)})
	if err != nil {
		return nil, err
	}
	if err := a.commit(ctx, event.Fact{Kind: event.FactErase, Site: in.Site, Key: reader, Value: value}); err != nil {
		return nil, a.failed(ctx, err)
	}
	return &struct{ Body Receipt }{a.receipt(reader)}, nil
}

// receipt says by when an erased reader is forgotten. The log drops whole days:
// the day of the erasure goes when it lies before the longest window and what is
// kept beyond it.
func (a *API) receipt(reader string) Receipt {
	now := time.UnixMilli(max(a.Now().UnixMilli(), a.Engine.LogTime())).UTC()
	longest := time.Duration(0)
	for _, site := range a.Engine.Sites() {
		longest = max(longest, site.WindowDuration())
	}
	day := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	return Receipt{Reader: reader, Memory: now, Archive: now.Add(archiveTime), Log: day.Add(longest + logBeyond)}
}
