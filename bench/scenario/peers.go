package scenario

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tarantool/go-tarantool/v3"
	"github.com/valyala/fasthttp"

	"github.com/readership/readership/bench/dataset"
	"github.com/readership/readership/bench/harness"
)

const (
	peersProgram = `segment keen = events |> where type == "page_view" |> last 14d |> distinct item |> count >= 5` + "\n"
	peersSpan    = 14 * 24 * time.Hour
	peersBatch   = 1000 // clicks a request of a load
)

var (
	//go:embed peers_redis.lua
	redisScript string
	//go:embed peers_tarantool.lua
	tarantoolScript string
)

// peer is a server that answers whether a reader read five distinct items in
// the 14 days before the newest click.
type peer struct {
	name string
	ask  func(i int, reader uint32) (bool, error) // on connection i
	stop func()
}

// ReadersPeers asks Readership, Redis and Tarantool the same question about the
// same readers of the same clicks, one after the other.
func ReadersPeers(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("readers-peers", flag.ContinueOnError)
	events := flags.Int("events", 1_500_000, "events that are loaded")
	seconds := flags.Int("seconds", 8, "seconds a run")
	connections := flags.Int("connections", 64, "connections")
	rate := flags.Float64("rate", 20_000, "requests/s of the open loop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := need("redis-server", "tarantool"); err != nil {
		return err
	}
	clicks, source, err := Clicks(*events)
	if err != nil {
		return err
	}
	readers := shuffledReaders(clicks)
	clicks = later(clicks)
	fmt.Fprintf(w, "%s events of %s and two by another reader 5 and 10 days later, %s readers in random order, %d connections, no pipelining, %d s a run, the generator on the same cores. %s.\n\n| | answers/s | p50 | p99 | others |\n|---|---|---|---|---|\n",
		thousands(float64(*events)), source, thousands(float64(len(readers))), *connections, *seconds, Machine())
	var first []bool
	for _, start := range []func(context.Context, []dataset.Click, int) (*peer, error){startReadership, startRedis, startTarantool} {
		p, err := start(ctx, clicks, *connections)
		if err != nil {
			return err
		}
		answers, err := p.measure(ctx, w, readers, *connections, *rate, time.Duration(*seconds)*time.Second)
		p.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if first == nil {
			first = answers
		}
		for i := range answers {
			if answers[i] != first[i] {
				return fmt.Errorf("%s says %t of reader %d, Readership %t", p.name, answers[i], readers[i], first[i])
			}
		}
	}
	keen := 0
	for _, yes := range first {
		if yes {
			keen++
		}
	}
	if keen == 0 || keen == len(first) {
		return fmt.Errorf("%d of %d readers are in the segment: the answers prove nothing", keen, len(first))
	}
	fmt.Fprintf(w, "\nThe answers about %s readers are the same; %s of them read five items.\n", thousands(float64(len(first))), thousands(float64(keen)))
	return nil
}

// measure returns the answers about the first 1,000 readers, then runs a closed
// and an open loop and writes a row of each.
func (p *peer) measure(ctx context.Context, w io.Writer, readers []uint32, connections int, rate float64, span time.Duration) ([]bool, error) {
	answers := make([]bool, min(1000, len(readers)))
	for i := range answers {
		var err error
		if answers[i], err = p.ask(i%connections, readers[i]); err != nil {
			return nil, err
		}
	}
	load := harness.Load{Connections: connections, Duration: 2 * time.Second}
	load.Ask = func(i int, n uint64) error {
		_, err := p.ask(i, readers[n%uint64(len(readers))])
		return err
	}
	if _, err := load.Run(ctx); err != nil { // warm
		return nil, err
	}
	load.Duration = span
	if _, err := row(ctx, w, p.name+", as fast as they come", load); err != nil {
		return nil, err
	}
	load.Rate = rate
	_, err := row(ctx, w, fmt.Sprintf("%s, %s/s, since they were due", p.name, thousands(rate)), load)
	return answers, err
}

// shuffledReaders returns every reader once, in the same random order each time.
func shuffledReaders(clicks []dataset.Click) []uint32 {
	readers := make([]uint32, len(clicks))
	for i := range clicks {
		readers[i] = clicks[i].Reader
	}
	slices.Sort(readers)
	readers = slices.Compact(readers)
	r := rand.New(rand.NewPCG(1, 0x9ee5))
	r.Shuffle(len(readers), func(i, j int) { readers[i], readers[j] = readers[j], readers[i] })
	return readers
}

// later adds two clicks by a reader of their own, so that the last 14 days begin
// amid the others. Five days each: an event may move a site's clock by seven.
func later(clicks []dataset.Click) []dataset.Click {
	c := clicks[len(clicks)-1]
	c.Reader = 1 << 31
	clicks = slices.Clip(clicks)
	for range 2 {
		c.Time += (5 * 24 * time.Hour).Milliseconds()
		clicks = append(clicks, c)
	}
	return clicks
}

// spanBegin returns the time, in Unix milliseconds, after which clicks count.
func spanBegin(clicks []dataset.Click) int64 {
	return clicks[len(clicks)-1].Time - peersSpan.Milliseconds()
}

// startReadership imports clicks and sets a program with the question as a
// segment.
func startReadership(ctx context.Context, clicks []dataset.Click, connections int) (*peer, error) {
	s, stop, err := clickServer(ctx, clickSite, clicks)
	if err != nil {
		return nil, err
	}
	if err := s.Call(ctx, "PUT", "/v1/sites/clicks/program", map[string]any{"files": map[string]string{"main": peersProgram}}, nil); err != nil {
		stop()
		return nil, err
	}
	client := &fasthttp.HostClient{Addr: s.CollectAddr, MaxConns: connections, ReadTimeout: 30 * time.Second}
	ask := func(_ int, reader uint32) (bool, error) {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(s.CollectURL("/v1/sites/clicks/readers/device:" + strconv.FormatUint(uint64(reader), 10) + "/segments"))
		req.Header.Set("Authorization", "Bearer "+harness.RootKey)
		if err := client.Do(req, res); err != nil {
			return false, err
		}
		if res.StatusCode() != fasthttp.StatusOK {
			return false, &harness.StatusError{Status: res.StatusCode(), Body: string(res.Body())}
		}
		return bytes.Contains(res.Body(), []byte(`"segments":["keen"]`)), nil
	}
	return &peer{"Readership", ask, func() { client.CloseIdleConnections(); stop() }}, nil
}

// startRedis keeps a sorted set of reads for each reader, and counts in a script.
func startRedis(ctx context.Context, clicks []dataset.Click, connections int) (*peer, error) {
	addr, stop, err := startProgram(nil, func(port string) []string {
		return []string{"redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"}
	})
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: connections, DisableIdentity: true})
	end := func() { client.Close(); stop() }
	for chunk := range slices.Chunk(clicks, peersBatch) {
		pipe := client.Pipeline()
		for _, c := range chunk {
			pipe.ZAdd(ctx, strconv.FormatUint(uint64(c.Reader), 10), redis.Z{Score: float64(c.Time), Member: fmt.Sprintf("%d@%d", c.Item, c.Time)})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			end()
			return nil, fmt.Errorf("load Redis: %w", err)
		}
	}
	sha, err := client.ScriptLoad(ctx, redisScript).Result()
	if err != nil {
		end()
		return nil, fmt.Errorf("load the script of Redis: %w", err)
	}
	begin := spanBegin(clicks)
	ask := func(_ int, reader uint32) (bool, error) {
		n, err := client.EvalSha(ctx, sha, []string{strconv.FormatUint(uint64(reader), 10)}, begin).Int()
		return n == 1, err
	}
	return &peer{"Redis", ask, end}, nil
}

// startTarantool keeps reads in a space with a tree index, and counts in a stored
// function.
func startTarantool(ctx context.Context, clicks []dataset.Click, connections int) (*peer, error) {
	addr, stop, err := startProgram([]byte(tarantoolScript), func(port string) []string {
		return []string{"tarantool", "script", "127.0.0.1:" + port}
	})
	if err != nil {
		return nil, err
	}
	var conns []*tarantool.Connection
	end := func() {
		for _, c := range conns {
			c.Close()
		}
		stop()
	}
	for range connections {
		c, err := tarantool.Connect(ctx, tarantool.NetDialer{Address: addr}, tarantool.Opts{Timeout: 30 * time.Second, SkipSchema: true})
		if err != nil {
			end()
			return nil, fmt.Errorf("connect to Tarantool: %w", err)
		}
		conns = append(conns, c)
	}
	for chunk := range slices.Chunk(clicks, peersBatch) {
		rows := make([][3]int64, len(chunk))
		for i, c := range chunk {
			rows[i] = [3]int64{int64(c.Reader), c.Time, int64(c.Item)}
		}
		if _, err := conns[0].Do(tarantool.NewCallRequest("load_reads").Args([]any{rows})).Get(); err != nil {
			end()
			return nil, fmt.Errorf("load Tarantool: %w", err)
		}
	}
	begin := spanBegin(clicks)
	ask := func(i int, reader uint32) (bool, error) {
		var keen [1]bool
		err := conns[i].Do(tarantool.NewCallRequest("keen").Args([]any{reader, begin})).GetTyped(&keen)
		return keen[0], err
	}
	return &peer{"Tarantool", ask, end}, nil
}

// startProgram runs a server that listens on a free port of 127.0.0.1, in a
// folder of its own with a file named script, and waits until it does. stop
// kills it and removes the folder.
func startProgram(script []byte, argv func(port string) []string) (addr string, stop func(), err error) {
	dir, remove, err := tempDir()
	if err != nil {
		return "", nil, err
	}
	if addr, err = harness.FreeAddress(); err == nil {
		err = os.WriteFile(filepath.Join(dir, "script"), script, 0o644)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	line := argv(port)
	cmd := exec.Command(line[0], line[1:]...)
	var output bytes.Buffer // read when the process has ended
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := cmd.Start(); err != nil {
		remove()
		return "", nil, fmt.Errorf("start %s: %w", line[0], err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	stop = func() {
		cmd.Process.Kill()
		<-done
		remove()
	}
	if err := waitListening(addr, done); err != nil {
		stop()
		return "", nil, fmt.Errorf("start %s: %w\n%s", line[0], err, output.Bytes())
	}
	return addr, stop, nil
}

func waitListening(addr string, ended <-chan struct{}) error {
	limit := time.After(20 * time.Second)
	for {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended")
		case <-limit:
			return errors.New("it does not listen after 20 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
