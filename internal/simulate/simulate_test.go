package simulate_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/fold"
	"github.com/readership/readership/internal/rubric/memory"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/value"
	"github.com/readership/readership/internal/segment"
	"github.com/readership/readership/internal/simulate"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// world is a site whose log is generated, with what a plain program knows of it.
type world struct {
	t      *rapid.T
	engine *engine.Engine
	enc    event.Encoder
	seq    uint64
	now    int64
	rows   []event.Event // in order of the log
}

// start lies a few days before Berlin changes its clocks.
var start = time.Date(2026, 3, 26, 9, 0, 0, 0, time.UTC).UnixMilli()

const window = 20 * day

func newWorld(t *rapid.T) *world {
	e, err := engine.Open(engine.Config{Shards: rapid.IntRange(1, 3).Draw(t, "shards")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, engine: e, now: start}
	w.facts(event.FactSite, "news", event.Site{ID: "news", Window: "20d"}.WithDefaults())
	return w
}

func (w *world) pick(n int, label string) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

func oneOf[T any](w *world, label string, of ...T) T { return of[w.pick(len(of), label)] }

func (w *world) send() {
	w.seq++
	if err := w.engine.Apply(event.MakePosition(20000, 0, w.seq), w.enc.AppendTo(nil)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) facts(kind, key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	w.enc.Reset(w.now)
	w.enc.AddFact(event.Fact{Kind: kind, Site: "news", Key: key, Value: raw})
	w.send()
}

// row is an event, perhaps a late one.
func (w *world) row() {
	ev := event.Event{Device: fmt.Sprint("d", w.pick(3, "device")), Time: w.now}
	if w.pick(4, "late") == 0 {
		ev.Time -= oneOf(w, "by", 1, minute, hour, 7*hour, day)
	}
	ev.Columns[event.ColType] = oneOf(w, "type", "page_view", "page_view", "page_view", "page_view", "wall_shown")
	if w.pick(6, "item") > 0 {
		ev.Columns[event.ColItem] = oneOf(w, "which", "a1", "a2", "a3", "a4", "a5", "a6", "news.example/a2")
	}
	switch account := fmt.Sprint("k", w.pick(2, "account")); w.pick(5, "of an account") {
	case 0: // a claim
		ev.Columns[event.ColAccount] = account
	case 1:
		ev.Columns[event.ColAccount], ev.Flags = account, event.FlagProven
	case 2:
		ev.Columns[event.ColAccount], ev.Device, ev.Flags = account, "account:"+account, event.FlagProven
	}
	if w.pick(3, "country") > 0 {
		ev.Columns[event.ColCountry] = oneOf(w, "where", "de", "br")
	}
	if w.pick(9, "robot") == 0 {
		ev.Columns[event.ColBotClass] = "search"
		ev.Flags |= event.FlagRobot
	}
	if w.pick(3, "properties") == 0 {
		ev.Properties = []event.Property{{Name: "words", Value: oneOf(w, "words", "10", "200"), Kind: event.KindNumber}}
	}
	w.enc.Reset(w.now)
	w.enc.Add("news", &ev, 0, 0)
	w.send()
	w.rows = append(w.rows, ev)
}

func (w *world) step() {
	w.now += oneOf(w, "wait", 0, 1, minute, hour, 5*hour, 11*hour)
	switch w.pick(12, "what") {
	case 0:
		a := event.Account{Traits: map[string]any{"city": oneOf(w, "city", "berlin", "rio")}}
		if w.pick(2, "entitled") == 0 {
			until := time.UnixMilli(w.now + oneOf(w, "for", hour, 2*day)).UTC()
			a.Entitlements = []event.Entitlement{{Name: "premium", Until: &until, State: event.StateActive}}
		}
		w.facts(event.FactAccount, fmt.Sprint("k", w.pick(2, "account")), a)
	case 1:
		id := fmt.Sprint("a", 1+w.pick(6, "item"))
		published := time.UnixMilli(w.now - int64(w.pick(40, "age"))*hour).UTC()
		w.facts(event.FactItem, id, event.Item{ID: id, URL: "https://news.example/" + id, Section: oneOf(w, "section", "sport", "news", ""),
			Tier: oneOf(w, "tier", "free", "metered"), PublishedAt: &published, Attributes: map[string]string{"weight": "2.5"}})
	default:
		w.row()
	}
}

var clauses = []string{
	`allow open if item.tier == "free"`,
	`allow fresh if item.published_at > now - 7h`,
	`allow premium if reader.entitled("premium") and item.section != "sport"`,
	`allow granted if (reader.entitled_by("premium") ?? "no") == "account"`,
	`allow again if item in m`,
	`allow abroad if request.country == "br" and m.left > 1`,
	`allow same if not (item in n) and n.used < 2 burns n`,
	`allow first if reader.first_seen > now - 6h`,
	`charge crawler if bot.class == "search" or request.gift price 0.1 EUR`,
	`deny often if fan`,
	`deny section if (reads |> where item.section == request.item.section |> last 1d |> count) >= 4`,
	`deny heavy if item.attributes.weight > 3 or (item.section == "sport" and item.tier != "free")`,
	`allow soon if (m.resets_at ?? now) > now + 3h`,
	`deny arm if arm("x", 3) == 1 and size(item.id) > 1`,
	`deny city if reader.traits.city == "rio"`,
	`deny night if hour(now) < 3`,
	`allow known if reader.registered and m.limit > 2 burns n`,
	`allow metered if m.left > 0 burns m`,
}

var limits = []string{"2", "3", "if reader.registered then 1 else 3", "if fan then 1 else 2", `if item.tier == "free" then 4 else 2`}

var windows = []string{"per day", "per week", "per month", "last 1d", "last 5h", "from_first 1d", "from_first 3h"}

// block is an access block of a generated program.
func (w *world) block(label, zone string, weekStart time.Weekday) (simulate.Block, string) {
	var b strings.Builder
	b.WriteString("let reads = events |> where type == \"page_view\"\n")
	fmt.Fprintf(&b, "segment fan = %s\n", oneOf(w, "segment", `reads |> last 2d |> distinct item |> count >= 3`,
		`reads |> per day |> where country == "de" or properties.words > 100 |> count > 2`,
		`events |> where type == "wall_shown" |> then reads within 5h |> any`, `reads |> distinct visit |> count >= 2 and not reader.registered`))
	for _, m := range []string{"m", "n"} {
		fmt.Fprintf(&b, "meter %s (limit: %s, sticky: %v, merge: %s) = burns |> %s |> distinct item\n", m,
			oneOf(w, "limit", limits...), w.pick(2, "sticky") == 0, oneOf(w, "merge", plan.Merges...), oneOf(w, "window", windows...))
	}
	b.WriteString("access story {\n")
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(clauses)-2), 0, 5, rapid.ID).Draw(w.t, label) {
		b.WriteString(clauses[i] + "\n")
	}
	if w.pick(4, "metered") > 0 {
		b.WriteString(clauses[len(clauses)-1] + "\n")
	}
	b.WriteString(oneOf(w, "last", "deny rest", "allow rest", "allow rest burns n") + "\n}")
	s := schema.Default()
	s.Window, s.Calendar = window, value.Calendar{Zone: zoneOf(w.t, zone), WeekStart: weekStart}
	s.Attributes = append(s.Attributes, "weight")
	p := rubric.CheckText(map[string]string{event.MainFile: b.String()}, s)
	if !p.OK() {
		w.t.Fatal(p.Render())
	}
	return simulate.Block{Program: p.Plan, Access: p.Plan.Accesses[0]}, b.String()
}

func zoneOf(t rapid.TB, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// plain decides one page view after the other by package fold, in order of time,
// and returns the readers who were denied something too.
func (w *world) plain(view *engine.View, b simulate.Block, from, to int64) (*simulate.Result, map[string]bool) {
	type of struct {
		burns memory.Burns
		marks map[[2]string]int // account, meter → how many were carried over
	}
	readers := map[string]*of{}
	reader := func(name string) *of {
		if readers[name] == nil {
			readers[name] = &of{memory.Burns{}, map[[2]string]int{}}
		}
		return readers[name]
	}
	out := &simulate.Result{Tally: simulate.Tally{ByClause: map[string]int{}}}
	denied, deniedOn := map[string]bool{}, map[string]bool{}
	rows := slices.Clone(w.rows)
	last := func(ev *event.Event) int { // an account's own come after those of its devices
		if strings.HasPrefix(ev.Device, "account:") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), last(&a)-last(&b)) })
	for i := range rows {
		ev := &rows[i]
		if ev.Time < max(from, view.From) || ev.Time >= to {
			continue
		}
		name := engine.ReaderName(ev.Device)
		if account := ev.Columns[event.ColAccount]; ev.Flags&event.FlagProven != 0 {
			if own := "account:" + account; name != own { // a login
				device := reader(name)
				for _, m := range b.Program.Meters {
					mark := [2]string{account, m.Name}
					fresh := device.burns[m.Name][device.marks[mark]:]
					device.marks[mark] = len(device.burns[m.Name])
					for _, burn := range fresh {
						burn.Device, burn.Joined = ev.Device, ev.Time
						reader(own).burns.Add(m.Name, burn)
					}
				}
				name = own
			}
		}
		if ev.Type() != event.TypePageView || ev.Columns[event.ColItem] == "" || ev.Columns[event.ColBotClass] != "" {
			continue
		}
		v := w.view(view, b.Program, name, ev)
		v.Burns = reader(name).burns
		d := v.Decide(b.Access.ID)
		if d.Burns != fold.NoMeter {
			reader(name).burns.Add(b.Program.Meters[d.Burns].Name, v.Burn(d.Burns, v.Item))
		}
		begun := b.Program.Calendar.Start(value.Day, ev.Time)
		if n := len(out.Days); n == 0 || out.Days[n-1].Start != begun {
			out.Days = append(out.Days, simulate.Day{Start: begun, Tally: simulate.Tally{ByClause: map[string]int{}}})
		}
		today := &out.Days[len(out.Days)-1]
		for _, t := range []*simulate.Tally{&out.Tally, &today.Tally} {
			t.Decisions++
			t.ByClause[d.Clause.Name]++
			if d.Clause.Outcome == plan.Allow {
				t.Allowed++
			} else {
				t.Denied++
			}
		}
		if d.Clause.Outcome != plan.Allow {
			if on := fmt.Sprint(name, begun); !deniedOn[on] {
				deniedOn[on] = true
				today.ReadersDenied++
			}
			denied[name] = true
		}
	}
	out.ReadersDenied = len(denied)
	return out, denied
}

// view is what can be known of a reader when it asks for a page.
func (w *world) view(view *engine.View, p *plan.Program, name string, ev *event.Event) *fold.View {
	of, ok := view.Reader(name)
	if !ok {
		w.t.Fatalf("%q is no reader", name)
	}
	r := &segment.Reader{}
	r.Load(of)
	r.At(ev.Time)
	r.Rows(view.From, view.Now+day, &r.Events)
	v := &fold.View{Program: p, Now: ev.Time, Items: segment.Catalogue{Items: view.Items}, Profile: r, Item: view.Items.Canonical(ev.Columns[event.ColItem])}
	for i := range r.Events.Len() {
		v.Rows = append(v.Rows, segment.Row{Of: r, I: i})
	}
	request := &memory.Request{Columns: map[plan.Column]value.Value{}}
	for c, text := range ev.Columns {
		if text != "" {
			request.Columns[plan.Column(c)] = value.OfText(text)
		}
	}
	v.Request = request
	return v
}

// TestEqualsDecidingOneByOne: a simulation is what deciding each page view with
// its commit comes to, one after the other: logins, late rows, any span and time
// zone; and the comparison of two blocks is that of their runs.
func TestEqualsDecidingOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		defer w.engine.Close()
		for range rapid.IntRange(1, 70).Draw(t, "steps") {
			w.step()
		}
		view, err := w.engine.Readers(context.Background(), "news", event.MakePosition(20000, 0, w.seq))
		if err != nil {
			t.Fatal(err)
		}
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu"}).Draw(t, "zone")
		weekStart := rapid.SampledFrom([]time.Weekday{time.Monday, time.Sunday}).Draw(t, "week")
		block, text := w.block("clauses", zone, weekStart)
		q := simulate.Question{Block: block, From: view.From, To: view.Now + 1}
		if rapid.Bool().Draw(t, "from") {
			q.From = start + rapid.Int64Range(-2*day, 10*day).Draw(t, "from")
		}
		if rapid.Bool().Draw(t, "to") {
			q.To = q.From + rapid.Int64Range(1, 10*day).Draw(t, "to")
		}
		want, denied := w.plain(view, block, q.From, q.To)
		if rapid.Bool().Draw(t, "against") {
			other, _ := w.block("other clauses", zone, weekStart)
			q.Against = &other
			_, before := w.plain(view, other, q.From, q.To)
			for name := range denied {
				if !before[name] {
					want.NewlyDenied++
				}
			}
			for name := range before {
				if !denied[name] {
					want.NoLongerDenied++
				}
			}
		}
		got, err := make(simulate.Room, 3).Run(context.Background(), view, q, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, text)
		}
	})
}
