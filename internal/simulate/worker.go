package simulate

import (
	"context"
	"math"
	"strings"

	"github.com/readership/readership/internal/engine"
	"github.com/readership/readership/internal/engine/subject"
	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/fold"
)

// worker decides about the page views of readers, one reader after the other. It
// is for one goroutine.
type worker struct {
	*simulation
	shard    *shardFacts
	items    *items
	pageView uint32 // code of page_view in the shard
	reader   reader
	runs     []*run // by block
	logins   map[string]*login
	day      int // of the reader's last decision
	deniedOn int // the last day on which the reader was denied something; −1: none

	totals  *totals
	found   map[*shardFacts][]uint32 // accounts
	carried map[pair][]carry
}

// pair is an account that was proven on a device.
type pair struct{ device, account string }

// carry is what a login brings to an account: the burns of the device since the
// login before, by block and meter.
type carry struct {
	proof int // number of the row that proved the account, among those of the pair
	burns [][][]fold.Burn
}

// login is how far the rows of a pair have been looked at.
type login struct {
	proofs int     // rows that proved the account
	marks  [][]int // burns of the device that were carried over, by block and meter
}

func newWorker(s *simulation) *worker {
	return &worker{simulation: s, totals: newTotals(s), found: map[*shardFacts][]uint32{}, carried: map[pair][]carry{}}
}

// enter makes the worker ready for readers of a shard.
func (w *worker) enter(shard *shardFacts) {
	w.shard = shard
	w.items = &items{catalogue: w.view.Items, byText: map[string]*item{}, byCode: map[uint32]*item{}}
	w.pageView = 0
	if int(event.ColType) < len(shard.Columns) {
		for code, text := range shard.Columns[event.ColType].Dict.Texts {
			if text == event.TypePageView {
				w.pageView = uint32(code)
			}
		}
	}
	w.runs = w.runs[:0]
	for n, b := range w.blocks {
		w.runs = append(w.runs, newRun(w, b, n))
	}
}

// devices decides for all devices of a shard, and notes which readers are
// accounts.
func (w *worker) devices(ctx context.Context, shard *shardFacts) error {
	return w.each(ctx, shard.Subjects.Len(), func(n int) error {
		o := uint32(n)
		switch r, ok := w.view.ReaderAt(shard.number, o); {
		case !ok: // it was erased
		case r.Account != "":
			w.found[shard] = append(w.found[shard], o)
		default:
			w.load(r, o)
			return w.device(ctx, shard.shared[o])
		}
		return nil
	}, w.tell)
}

// accounts decides for all accounts of a shard.
func (w *worker) accounts(ctx context.Context, shard *shardFacts) error {
	return w.each(ctx, len(shard.accounts), func(n int) error {
		o := shard.accounts[n]
		if r, ok := w.view.ReaderAt(shard.number, o); ok {
			w.load(r, o)
			return w.account(ctx)
		}
		return nil
	}, func(int) {})
}

// each calls do for those of n readers of the worker's shard that no other has
// taken, and done after some of them.
func (w *worker) each(ctx context.Context, n int, do func(int) error, done func(int)) error {
	for from, to := w.shard.take(n); from < n; from, to = w.shard.take(n) {
		if err := w.some(ctx, from, to, do); err != nil {
			return err
		}
		done(to - from)
	}
	return nil
}

// some calls do for a few readers, once there is room.
func (w *worker) some(ctx context.Context, from, to int, do func(int) error) error {
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.room }()
	for n := from; n < to; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(n); err != nil {
			return err
		}
	}
	return nil
}

// rowsBetween is how many rows of a reader are decided before it is looked whether
// anybody still waits.
const rowsBetween = 64

// tell says that n more readers were looked at.
func (w *worker) tell(n int) {
	if w.progress != nil {
		w.progress(float64(w.done.Add(int64(n))) / float64(max(w.simulation.readers, 1)))
	}
}

// load makes the worker ready for a reader.
func (w *worker) load(of engine.Reader, ordinal uint32) {
	w.reader.load(of, ordinal, w.shard)
	from := w.question.From
	for _, r := range w.runs {
		r.begin()
		if r.rows != nil {
			from = math.MinInt64 // streams may reach as far back as there are rows
		}
	}
	w.reader.History(from, w.question.To-1, &w.reader.Events)
	clear(w.logins)
	w.day, w.deniedOn = 0, -1
}

// device decides for a device: about its page views without an account. Where
// accounts were proven on it, it notes what they take with them.
func (w *worker) device(ctx context.Context, shared bool) error {
	rows := &w.reader.Events
	for i := range rows.Len() {
		switch {
		case i%rowsBetween == rowsBetween-1 && ctx.Err() != nil:
			return ctx.Err()
		case !rows.Proven(i):
			w.row(i)
		case shared:
			w.leave(i)
		}
	}
	w.finish()
	return nil
}

// leave notes the burns of the device that go to the account of a row.
func (w *worker) leave(i int) {
	account, _, _ := w.reader.Events.Text(i, int(event.ColAccount))
	l := w.login(account)
	burns := make([][][]fold.Burn, len(w.runs))
	some := false
	for n, r := range w.runs {
		for m, meter := range r.meters {
			all := meter.Burns()
			fresh := append([]fold.Burn(nil), all[l.marks[n][m]:]...)
			burns[n] = append(burns[n], fresh)
			l.marks[n][m] = len(all)
			some = some || len(fresh) > 0
		}
	}
	if some {
		p := pair{w.reader.Events.Device(i), strings.Clone(account)}
		w.carried[p] = append(w.carried[p], carry{l.proofs, burns})
	}
	l.proofs++
}

// login returns how far a pair is, by the name of the other side.
func (w *worker) login(name string) *login {
	l := w.logins[name]
	if l == nil {
		l = &login{}
		for _, r := range w.runs {
			l.marks = append(l.marks, make([]int, len(r.meters)))
		}
		if w.logins == nil {
			w.logins = map[string]*login{}
		}
		w.logins[name] = l
	}
	return l
}

// account decides for an account: about page views that proved it, and those
// that name no device. A row that proves it carries over what its device has.
func (w *worker) account(ctx context.Context) error {
	rows := &w.reader.Events
	for i := range rows.Len() {
		if i%rowsBetween == rowsBetween-1 && ctx.Err() != nil {
			return ctx.Err()
		}
		shared := rows.DeviceKey(i) != subject.NoPair
		if shared && (rows.Joined(i) || !rows.Proven(i)) {
			continue // a device's
		}
		if shared {
			w.arrive(i)
		}
		w.row(i)
	}
	w.finish()
	return nil
}

// arrive carries the burns of a row's device over.
func (w *worker) arrive(i int) {
	device := w.reader.Events.Device(i)
	list := w.simulation.carried[pair{device, w.reader.Account}]
	if len(list) == 0 {
		return
	}
	l := w.login(device)
	for _, c := range list {
		if c.proof != l.proofs {
			continue
		}
		for n, r := range w.runs {
			for m, burns := range c.burns[n] {
				r.meters[m].Carry(device, burns, w.reader.Events.Time(i))
			}
		}
	}
	l.proofs++
}

// row decides about a row, if it is a page view that is asked about.
func (w *worker) row(i int) {
	rows := &w.reader.Events
	now := rows.Time(i)
	if now < w.question.From || !w.isPageView(i) || rows.Has(i, int(event.ColBotClass)) {
		return
	}
	item := w.items.of(rows, i)
	if item == nil {
		return
	}
	w.reader.At(now)
	w.day = w.dayAt(now, w.day)
	for n, r := range w.runs {
		clause := r.decide(i, now, item)
		denied := denies(r.access.Clauses[clause])
		r.denied = r.denied || denied
		if n > 0 {
			continue
		}
		day := &w.totals.days[w.day]
		day.clauses[clause]++
		if denied && w.deniedOn != w.day {
			w.deniedOn = w.day
			day.readers++
		}
	}
}

func (w *worker) isPageView(i int) bool {
	code, local := w.reader.Events.Code(i, int(event.ColType))
	if !local {
		return code == w.pageView && code != 0
	}
	text, _, _ := w.reader.Events.Text(i, int(event.ColType))
	return text == event.TypePageView
}

// finish counts the reader.
func (w *worker) finish() {
	denied := w.runs[0].denied
	if denied {
		w.totals.readersDenied++
	}
	if len(w.runs) > 1 && denied != w.runs[1].denied {
		if denied {
			w.totals.newlyDenied++
		} else {
			w.totals.noLongerDenied++
		}
	}
}
