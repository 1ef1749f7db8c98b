package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// State is how far a job is.
type State string

// States. The last three are for good.
const (
	Queued  State = "queued"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	Stopped State = "stopped"
)

// Bounds of a Queue.
const (
	runningOfSite = 2 // jobs at once
	runningInAll  = 4
	waitingOfSite = 8
	keptOfSite    = 100 // jobs that have ended
	keptFor       = time.Hour
)

// ErrFull says that a site has too many jobs that wait.
var ErrFull = fmt.Errorf("%d simulations of the site wait already", waitingOfSite)

// ErrClosed says that the queue takes no more jobs.
var ErrClosed = errors.New("no simulation is begun any more")

// Job is how a job stands.
type Job[T any] struct {
	ID       string
	State    State
	Progress float64 // 0 to 1
	Result   T       // of a job that is Done
	Err      error   // of one that has Failed
}

// Queue runs jobs of sites, a few at a time, in the order in which they came; it
// keeps what came of them for a while. Jobs are lost when it is closed.
type Queue[T any] struct {
	now    func() time.Time
	logger *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	jobs    []*job[T] // as they came
	running int
}

type job[T any] struct {
	Job[T]
	site   string
	do     func(ctx context.Context, progress func(share float64)) (T, error)
	cancel context.CancelFunc // of one that runs
	active bool               // its goroutine runs: also for a while once it was stopped
	ended  time.Time
}

// NewQueue returns an empty queue. now tells the time; logger is told of jobs that
// fail.
func NewQueue[T any](now func() time.Time, logger *slog.Logger) *Queue[T] {
	q := &Queue[T]{now: now, logger: logger}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Close stops all jobs and returns when none runs.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	q.closed = true
	for _, j := range q.jobs {
		q.stop(j)
	}
	q.mu.Unlock()
	q.cancel()
	q.work.Wait()
}

// Submit adds a job under an id that no other has. do must return soon after its
// context ends. Errors: ErrFull, ErrClosed.
func (q *Queue[T]) Submit(site, id string, do func(ctx context.Context, progress func(share float64)) (T, error)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.count(site, func(j *job[T]) bool { return j.State == Queued }) >= waitingOfSite {
		return ErrFull
	}
	q.jobs = append(q.jobs, &job[T]{Job: Job[T]{ID: id, State: Queued}, site: site, do: do})
	q.forget()
	q.start()
	return nil
}

// Get returns a job of a site; ok is false if it is not kept.
func (q *Queue[T]) Get(site, id string) (status Job[T], ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j := q.find(site, id); j != nil {
		return j.Job, true
	}
	return status, false
}

// Stop stops a job that has not ended and returns how it stands.
func (q *Queue[T]) Stop(site, id string) (status Job[T], ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.find(site, id)
	if j == nil {
		return status, false
	}
	q.stop(j)
	return j.Job, true
}

// Forget stops all jobs of a site and drops what came of them.
func (q *Queue[T]) Forget(site string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = slices.DeleteFunc(q.jobs, func(j *job[T]) bool {
		if j.site == site {
			q.stop(j)
		}
		return j.site == site
	})
}

func (q *Queue[T]) count(site string, is func(*job[T]) bool) (n int) {
	for _, j := range q.jobs {
		if j.site == site && is(j) {
			n++
		}
	}
	return n
}

// find returns a job, nil if it is not kept.
func (q *Queue[T]) find(site, id string) *job[T] {
	q.forget()
	for _, j := range q.jobs {
		if j.site == site && j.ID == id {
			return j
		}
	}
	return nil
}

// forget drops jobs that have ended long ago, and the first of those that are too
// many.
func (q *Queue[T]) forget() {
	since := q.now().Add(-keptFor)
	kept := map[string]int{}
	for _, j := range slices.Backward(q.jobs) {
		if !j.ended.IsZero() {
			if kept[j.site]++; kept[j.site] > keptOfSite {
				j.ended = since
			}
		}
	}
	q.jobs = slices.DeleteFunc(q.jobs, func(j *job[T]) bool { return !j.ended.IsZero() && !j.active && !j.ended.After(since) })
}

// start runs what may run.
func (q *Queue[T]) start() {
	for _, j := range q.jobs {
		if q.running == runningInAll {
			return
		}
		if j.State != Queued || q.count(j.site, func(o *job[T]) bool { return o.active }) >= runningOfSite {
			continue
		}
		var ctx context.Context
		ctx, j.cancel = context.WithCancel(q.ctx)
		j.State, j.active = Running, true
		q.running++
		q.work.Go(func() { q.run(ctx, j) })
	}
}

// run does a job.
func (q *Queue[T]) run(ctx context.Context, j *job[T]) {
	result, err := j.run(ctx, func(share float64) {
		q.mu.Lock()
		defer q.mu.Unlock()
		j.Progress = max(j.Progress, share)
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	j.cancel()
	j.active = false
	q.running--
	switch {
	case j.State != Running: // it was stopped
	case err != nil:
		j.State, j.Err, j.ended = Failed, err, q.now()
		q.logger.Error("simulation failed", "site", j.site, "simulation", j.ID, "error", err)
	default:
		j.State, j.Result, j.Progress, j.ended = Done, result, 1, q.now()
	}
	q.start()
}

// run does the job; one that panics has failed.
func (j *job[T]) run(ctx context.Context, progress func(share float64)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return j.do(ctx, progress)
}

// stop ends a job that has not ended.
func (q *Queue[T]) stop(j *job[T]) {
	switch j.State {
	case Queued:
	case Running:
		j.cancel()
	default:
		return
	}
	j.State, j.ended = Stopped, q.now()
}
