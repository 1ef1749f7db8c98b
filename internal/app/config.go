package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/readership/readership/internal/cluster"
	"github.com/readership/readership/internal/collect"
	"github.com/readership/readership/internal/edge"
	"github.com/readership/readership/internal/edge/script"
)

// Config says how a process serves. Its field comments are the manual; flags
// and environment are read by the command.
type Config struct {
	// Data is the folder that all state lies under; it is created. One process
	// at a time.
	Data string
	// Listen is the address that serves everything. Port 0 picks one.
	Listen string
	// CollectListen is the address of the fast listener; "" for none.
	CollectListen string
	// Proxy is the reverse proxy; without an address it does not listen.
	Proxy ProxyConfig
	// Tracker is the name of the browser tracker's script, "rs.js" if empty. Another
	// one passes lists that know the first.
	Tracker string
	// PageNetworks are networks that the sites' pages are fetched from for the
	// catalogue though they are not public, and at any port.
	PageNetworks []netip.Prefix
	// Roles are the roles to run; nil is all of them. Two sets of them run apart, on
	// one NATS: edge, and engine with api and worker.
	Roles []string
	// NATS is the address of the nats-server that keeps the event log
	// (cluster.ParseAddress); "" keeps it under Data.
	NATS string
	// Memory is what the process may take, in bytes. 0: 70 % of what the
	// machine or its container has.
	Memory int64
	// LogMax is what the event log may take on disk, in bytes. 0: the log's
	// own rule.
	LogMax int64
	// Connections are how many a listener may have at once, AddressConnections how
	// many of one address. 0: 16,384 and 2,048.
	Connections        int
	AddressConnections int
	// Geo is a file in the MaxMind DB format that says where addresses are used;
	// it may be replaced at any time. "" for none.
	Geo string
	// Rates bound how often requests and events come.
	Rates collect.Rates
	// DecisionRate and QueryRate bound how many requests for decisions, and how many
	// questions, come a second with one key or from one person. 0: no bound.
	DecisionRate int
	QueryRate    int
	// CrawlerRanges is a folder with the address ranges that operators of crawlers
	// publish; "" for none.
	CrawlerRanges string
	// Demo writes a sample newspaper with simulated readers.
	Demo bool
	// DemoDays is how much of the past a new sample newspaper gets.
	DemoDays int
	// RootKey is a key with every scope; "" for none.
	RootKey string
	// Version is the program's.
	Version string

	// Out is told the addresses and what a person must know at the first start.
	Out    io.Writer
	Logger *slog.Logger
	Now    func() time.Time
	// Random is the source of keys and tokens.
	Random io.Reader
	// DrainTime is how long a stop waits for requests in flight. 0: 20 s.
	DrainTime time.Duration
	// Started is called with the addresses when requests are answered; it may
	// be nil.
	Started func(main, collect net.Addr)
	// ProxyStarted is called before Started with the proxy's addresses, nil for
	// none; it may be nil.
	ProxyStarted func(plain, tls net.Addr)
}

// DefaultRates are what the command starts with: more than a publisher's readers,
// pages and servers send, and less than takes the server from others.
var DefaultRates = collect.Rates{Key: 100_000, Address: 2_000, Device: 1_000}

// What the command starts with where it comes to decisions and questions.
const (
	DefaultDecisionRate = 100_000
	DefaultQueryRate    = 1_000
)

// Roles are the parts of the program, in the order they are started.
var Roles = []string{"engine", "edge", "api", "worker"}

// ErrUsage is what every error of Validate wraps: the command was called with
// what cannot work.
var ErrUsage = errors.New("usage")

// WithDefaults returns c with unset fields filled in.
func (c Config) WithDefaults() Config {
	if c.Data == "" {
		c.Data = "./data"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Proxy.Prefix == "" {
		c.Proxy.Prefix = "/_readership/"
	}
	if c.Tracker == "" {
		c.Tracker = script.DefaultName
	}
	if c.Memory == 0 {
		if total := machineMemory(); total > 0 {
			c.Memory = total / 10 * 7
		}
	}
	if c.DemoDays == 0 {
		c.DemoDays = 30
	}
	if c.DrainTime == 0 {
		c.DrainTime = 20 * time.Second
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// minMemory is the least that --memory may be: the log, the database and the
// listeners need some of it whatever the engine holds.
const minMemory = 64 << 20

// minLogMax is the least that --log-max may be: a commit must fit in.
const minLogMax = 1 << 20

// minRootKey is the least number of characters of a root key.
const minRootKey = 16

// Validate names the first setting that cannot be used; errors wrap ErrUsage.
func (c *Config) Validate() error {
	for _, address := range []struct{ flag, value string }{{"--listen", c.Listen}, {"--collect-listen", c.CollectListen},
		{"--proxy-listen", c.Proxy.Listen}, {"--proxy-tls-listen", c.Proxy.TLSListen}} {
		if address.value == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address.value); err != nil {
			return fmt.Errorf("%w: %s %q is not host:port", ErrUsage, address.flag, address.value)
		}
	}
	if c.Memory != 0 && c.Memory < minMemory {
		return fmt.Errorf("%w: --memory is %d bytes, at least 64 MiB are needed", ErrUsage, c.Memory)
	}
	if c.LogMax != 0 && c.LogMax < minLogMax {
		return fmt.Errorf("%w: --log-max is %d bytes, at least 1 MiB are needed", ErrUsage, c.LogMax)
	}
	for _, bound := range []struct {
		flag  string
		value int
	}{{"--connections", c.Connections}, {"--address-connections", c.AddressConnections},
		{"--key-rate", c.Rates.Key}, {"--address-rate", c.Rates.Address}, {"--device-rate", c.Rates.Device},
		{"--decision-rate", c.DecisionRate}, {"--query-rate", c.QueryRate}} {
		if bound.value < 0 {
			return fmt.Errorf("%w: %s is %d, it cannot be less than 0", ErrUsage, bound.flag, bound.value)
		}
	}
	if n := len(c.RootKey); n > 0 && n < minRootKey {
		return fmt.Errorf("%w: READERSHIP_ROOT_KEY has %d characters, at least %d are needed", ErrUsage, n, minRootKey)
	}
	if err := c.Proxy.validate(); err != nil {
		return err
	}
	if c.Proxy.wanted() && !c.runs("edge") {
		return fmt.Errorf("%w: --proxy-listen and --proxy-tls-listen go with the role edge", ErrUsage)
	}
	if c.NATS != "" {
		if _, err := cluster.ParseAddress(c.NATS); err != nil {
			return fmt.Errorf("%w: READERSHIP_NATS_URL %w", ErrUsage, err)
		}
	}
	if err := script.CheckName(c.Tracker); err != nil {
		return fmt.Errorf("%w: --tracker %w", ErrUsage, err)
	}
	return c.validateRoles()
}

func (c *Config) validateRoles() error {
	if len(c.Roles) == 0 {
		return nil
	}
	asked := make(map[string]bool)
	for _, name := range c.Roles {
		known := false
		for _, role := range Roles {
			known = known || role == name
		}
		if !known {
			return fmt.Errorf("%w: --role %q is no role: the roles are %s", ErrUsage, name, strings.Join(Roles, ", "))
		}
		asked[name] = true
	}
	switch apart := len(asked) < len(Roles); {
	case apart && !(len(asked) == 1 && asked["edge"]) && !(len(asked) == len(Roles)-1 && !asked["edge"]):
		return fmt.Errorf("%w: --role %s: a process runs edge, or engine,api,worker, or all of them; other sets are not available yet", ErrUsage, strings.Join(c.Roles, ","))
	case apart && c.NATS == "":
		return fmt.Errorf("%w: --role %s: roles in processes of their own meet on a nats-server: READERSHIP_NATS_URL names it", ErrUsage, strings.Join(c.Roles, ","))
	case apart && asked["edge"] && c.Demo:
		return fmt.Errorf("%w: --demo goes with the role api", ErrUsage)
	}
	return nil
}

// connectionLimits are those of either listener.
func (c *Config) connectionLimits() edge.Limits {
	return edge.Limits{Connections: c.Connections, AddressConnections: c.AddressConnections}
}

// runs says whether the process has a role.
func (c *Config) runs(role string) bool { return len(c.Roles) == 0 || slices.Contains(c.Roles, role) }

// engineMemory is what the engine may hold while the log is read back, before
// memory is divided by what the ids take.
func (c *Config) engineMemory() int64 {
	if c.Memory == 0 {
		return 0
	}
	return engineMemory(heapLimit(c.Memory, 0))
}

// machineMemory returns the bytes of memory that this process can have: the
// machine's or its container's; 0 where that is not known.
func machineMemory() int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	total := int64(0)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			total = kilobytes << 10
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var limit int64
		if _, err := fmt.Sscan(string(text), &limit); err == nil && limit > 0 && (total == 0 || limit < total) {
			total = limit
		}
	}
	return total
}
