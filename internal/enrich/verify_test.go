package enrich

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// zone is a DNS server with a few names.
type zone struct {
	mu    sync.Mutex
	names map[string][]string // of an address
	hosts map[string][]string // addresses of a name
	down  bool                // answers SERVFAIL
	asked int
}

// serveDNS starts the server and returns a resolver that asks it alone.
func (z *zone) serveDNS(t *testing.T) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: socket, Handler: dns.HandlerFunc(z.answer)}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		_ = server.Shutdown() // fails only if it has not begun
		socket.Close()
		<-done
	})
	address := socket.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address)
	}}
}

func (z *zone) answer(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name := q.Question[0].Name
	header := dns.RR_Header{Name: name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
	known := false
	switch q.Question[0].Qtype {
	case dns.TypePTR:
		for address, names := range z.names {
			if reverse, _ := dns.ReverseAddr(address); reverse == name {
				known = true
				for _, n := range names {
					m.Answer = append(m.Answer, &dns.PTR{Hdr: header, Ptr: n + "."})
				}
			}
		}
	default:
		var addresses []string
		addresses, known = z.hosts[strings.TrimSuffix(name, ".")]
		for _, text := range addresses {
			a := netip.MustParseAddr(text)
			switch {
			case a.Is4() && header.Rrtype == dns.TypeA:
				m.Answer = append(m.Answer, &dns.A{Hdr: header, A: a.AsSlice()})
			case a.Is6() && header.Rrtype == dns.TypeAAAA:
				m.Answer = append(m.Answer, &dns.AAAA{Hdr: header, AAAA: a.AsSlice()})
			}
		}
	}
	switch {
	case z.down:
		m = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	case !known:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m) // a lost answer is the resolver's to bear
}

// questions is how many were asked.
func (z *zone) questions() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// settle answers everything that is asked.
func (v *Verifier) settle(t *testing.T) {
	for len(v.queue) > 0 {
		v.answer(t.Context(), <-v.queue)
	}
}

func TestCrawlersAreVerifiedByDNS(t *testing.T) {
	z := &zone{
		names: map[string][]string{
			"66.249.66.1":      {"crawl-66-249-66-1.googlebot.com"},
			"2001:4860:4801::": {"other.example", "geo-crawl.geo.googlebot.com"},
			"192.0.2.1":        {"crawl-66-249-66-1.googlebot.com"},           // the name does not lead back
			"192.0.2.2":        {"crawl.googlebot.com.evil.example"},          // ends otherwise
			"192.0.2.3":        {"notgooglebot.com"},                          // is not below it
			"192.0.2.4":        {"gone.googlebot.com", "ghost.example"},       // the name is not known
			"40.77.167.1":      {"msnbot-40-77-167-1.search.msn.com"},         // of another operator
			"34.64.0.1":        {"1.0.64.34.bc.googleusercontent.com"},        // a machine that anybody may rent
			"192.0.2.5":        {"MSNBOT.Search.MSN.com", "x.search.msn.com"}, // in any case
		},
		hosts: map[string][]string{"crawl-66-249-66-1.googlebot.com": {"66.249.66.1"}, "geo-crawl.geo.googlebot.com": {"192.0.2.9", "2001:4860:4801::"},
			"1.0.64.34.bc.googleusercontent.com": {"34.64.0.1"},
			"crawl.googlebot.com.evil.example":   {"192.0.2.2"}, "notgooglebot.com": {"192.0.2.3"}, "msnbot-40-77-167-1.search.msn.com": {"40.77.167.1"},
			"msnbot.search.msn.com": {"192.0.2.5"}, "ghost.example": {"192.0.2.4"}},
	}
	v := NewVerifier(VerifyConfig{Resolver: z.serveDNS(t), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	for _, c := range []struct {
		operator, address string
		want              bool
	}{
		{"Google", "66.249.66.1", true}, {"Google", "::ffff:66.249.66.1", true}, {"Google", "2001:4860:4801::", true},
		{"Google", "192.0.2.1", false}, {"Google", "192.0.2.2", false}, {"Google", "192.0.2.3", false}, {"Google", "192.0.2.4", false},
		{"Google", "198.51.100.1", false}, {"Google", "34.64.0.1", false}, {"Google", "40.77.167.1", false}, {"Microsoft", "40.77.167.1", true}, {"Microsoft", "192.0.2.5", true},
		{"Nobody", "66.249.66.1", false}, {"", "66.249.66.1", false},
	} {
		a := netip.MustParseAddr(c.address)
		if c.address != "::ffff:66.249.66.1" && v.Verified(c.operator, a) {
			t.Errorf("%s is %s's before DNS has said so", c.address, c.operator)
		}
		v.settle(t)
		if got := v.Verified(c.operator, a); got != c.want {
			t.Errorf("%s is %s's: %v", c.address, c.operator, got)
		}
	}
	if v.Verified("Google", netip.Addr{}) || (*Verifier)(nil).Verified("Google", netip.MustParseAddr("66.249.66.1")) {
		t.Error("verified without an address, or without a verifier")
	}
	asked := z.questions()
	google := netip.MustParseAddr("66.249.66.1")
	if n := testing.AllocsPerRun(100, func() { v.Verified("Google", google) }); n != 0 || z.questions() != asked {
		t.Errorf("what is known takes %v allocations and %d questions", n, z.questions()-asked)
	}
}

// Answers hold for their time; while DNS is away what was true stays so, and what
// was not known is asked again soon.
func TestProofsHoldForTheirTime(t *testing.T) {
	z := &zone{names: map[string][]string{"66.249.66.1": {"a.googlebot.com"}}, hosts: map[string][]string{"a.googlebot.com": {"66.249.66.1"}}}
	now := time.UnixMilli(0)
	v := NewVerifier(VerifyConfig{Resolver: z.serveDNS(t), Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)})
	crawler, stranger := netip.MustParseAddr("66.249.66.1"), netip.MustParseAddr("192.0.2.1")
	ask := func(a netip.Addr) bool {
		v.Verified("Google", a)
		v.settle(t)
		return v.Verified("Google", a)
	}
	set := func(down bool) {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.down = down
	}
	set(true)
	if ask(crawler) {
		t.Error("verified while DNS is away")
	}
	set(false)
	if ask(crawler) {
		t.Error("a fault is not kept for its minute")
	}
	if now = now.Add(holdsFault); !ask(crawler) || ask(stranger) {
		t.Error("not asked again after a fault")
	}
	set(true)
	if now = now.Add(holdsYes); !ask(crawler) {
		t.Error("what was true is forgotten while DNS is away")
	}
	set(false)
	z.mu.Lock()
	z.names["66.249.66.1"], z.names["192.0.2.1"], z.hosts["a.googlebot.com"] = nil, []string{"a.googlebot.com"}, []string{"192.0.2.1"}
	z.mu.Unlock()
	now = now.Add(holdsFault)
	if was, is := ask(crawler), ask(stranger); was || !is {
		t.Errorf("the address is somebody else's now: %v, %v", was, is)
	}
}

// More claims than DNS answers are left out, and asked again by the next request.
func TestClaimsAreBounded(t *testing.T) {
	z := &zone{names: map[string][]string{"10.0.200.0": {"a.googlebot.com"}}, hosts: map[string][]string{"a.googlebot.com": {"10.0.200.0"}}}
	v := NewVerifier(VerifyConfig{Resolver: z.serveDNS(t), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	for i := range 4 * maxPending {
		v.Verified("Google", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		v.Verified("Google", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})) // is asked once
	}
	if len(v.queue) != maxPending {
		t.Errorf("%d are waiting", len(v.queue))
	}
	for len(v.queue) > 0 {
		<-v.queue
	}
	last := netip.MustParseAddr("10.0.200.0")
	v.Verified("Google", last)
	v.settle(t)
	if !v.Verified("Google", last) {
		t.Error("what was left out is not asked again")
	}
}

// Run asks by itself, and ends with its context.
func TestVerifierRuns(t *testing.T) {
	z := &zone{names: map[string][]string{"66.249.66.1": {"a.googlebot.com"}}, hosts: map[string][]string{"a.googlebot.com": {"66.249.66.1"}}}
	v := NewVerifier(VerifyConfig{Resolver: z.serveDNS(t), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan struct{})
	running, stop := context.WithCancel(ctx)
	go func() { defer close(ended); v.Run(running) }()
	for !v.Verified("Google", netip.MustParseAddr("66.249.66.1")) {
		if ctx.Err() != nil {
			t.Fatal("never verified")
		}
	}
	stop()
	<-ended
}

func TestRanges(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string, age int) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli(1_700_000_000_000).Add(time.Duration(age) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("openai.gptbot.json", `{"creationTime":"2025-10-29T00:00:00.000000","prefixes":[{"ipv4Prefix":"132.196.86.0/24"},{"ipv4Prefix":"52.230.152.1/25"}]}`, 0)
	write("OpenAI.searchbot.json", `{"prefixes":[{"ipv6Prefix":"2a01:111::/32"}]}`, 0)
	write("common-crawl.json", `{"prefixes":[]}`, 0)
	write("notes.txt", `x`, 0)
	var log bytes.Buffer
	r := NewRanges(folder, slog.New(slog.NewTextHandler(&log, nil)))
	v := &Verifier{ranges: r, now: time.Now}
	check := func(operator, address string, want bool) {
		t.Helper()
		if got := v.Verified(operator, netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %s's: %v", address, operator, got)
		}
	}
	check("OpenAI", "132.196.86.7", true)
	check("OpenAI", "::ffff:52.230.152.99", true)
	check("OpenAI", "52.230.152.200", false)
	check("OpenAI", "2a01:111:ffff::1", true)
	check("Anthropic", "132.196.86.7", false)
	if !strings.Contains(log.String(), "common-crawl.json") {
		t.Errorf("an empty file is not reported: %s", &log)
	}
	write("openai.gptbot.json", `{"prefixes":[{"ipv4Prefix":"132.196.86.0"}]}`, 1)
	r.Refresh()
	check("OpenAI", "132.196.86.7", true)
	write("openai.gptbot.json", `{"prefixes":[{"ipv4Prefix":"198.51.100.0/24"}]}`, 2)
	r.Refresh()
	check("OpenAI", "132.196.86.7", false)
	check("OpenAI", "198.51.100.7", true)
	if err := os.Remove(filepath.Join(folder, "openai.gptbot.json")); err != nil {
		t.Fatal(err)
	}
	r.Refresh()
	check("OpenAI", "198.51.100.7", false)
	check("OpenAI", "2a01:111::1", true)
}

// A set of networks holds what one of them holds.
func TestPrefixesContain(t *testing.T) {
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "six") {
			return netip.AddrFrom16([16]byte{0x20, 1, 15: byte(rapid.IntRange(0, 255).Draw(t, "last"))})
		}
		return netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 255).Draw(t, "last"))})
	})
	rapid.Check(t, func(t *rapid.T) {
		var list []netip.Prefix
		for _, a := range rapid.SliceOfN(address, 0, 6).Draw(t, "networks") {
			list = append(list, netip.PrefixFrom(a, rapid.IntRange(a.BitLen()-8, a.BitLen()).Draw(t, "bits")).Masked())
		}
		p := &prefixes{all: map[netip.Prefix]struct{}{}}
		p.add(list)
		a, want := address.Draw(t, "address"), false
		for _, prefix := range list {
			want = want || prefix.Contains(a)
		}
		if p.contain(a) != want {
			t.Fatalf("%v in %v: %v", a, list, !want)
		}
	})
}

func FuzzRanges(f *testing.F) {
	f.Add([]byte(`{"prefixes":[{"ipv4Prefix":"132.196.86.0/24"},{"ipv6Prefix":"2a01::/16"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := parseRanges(content)
		if err != nil {
			return
		}
		for _, p := range list {
			if !p.IsValid() {
				t.Errorf("%v of %q", p, content)
			}
		}
	})
}
