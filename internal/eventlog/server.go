package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startTimeout bounds how long the embedded server may take to be ready. A part
// that was being written when the process was killed is read back, at worst
// from a slow disk.
const startTimeout = 10 * time.Minute

// broker is one run of the embedded server, or one time that an external one is
// connected to, with its connections: appends have one of their own, since the
// server answers reads in the connection's reader.
type broker struct {
	srv    *server.Server // nil: external
	write  *nats.Conn
	read   *nats.Conn
	js     jetstream.JetStream
	acks   chan *nats.Msg
	inbox  string
	failed chan struct{} // gets a value when the server reports a failed write

	gone     chan struct{} // closed when an external server's connection is
	losing   sync.Once
	replicas int                // of streams
	bucket   jetstream.KeyValue // of an external server
}

func newBroker() *broker {
	return &broker{acks: make(chan *nats.Msg, 16), failed: make(chan struct{}, 1), gone: make(chan struct{}), replicas: 1}
}

// startBroker starts the embedded server on dir.
func startBroker(dir string, logger *slog.Logger) (*broker, error) {
	b := newBroker()
	srv, err := server.NewServer(&server.Options{
		ServerName: "readership",
		DontListen: true,
		NoSigs:     true,
		MaxPayload: MaxMessage + 4096,
		JetStream:  true,
		StoreDir:   dir,
		SyncAlways: true,
		// The limit is ours: the server's own breaks the stream when it is met.
		JetStreamMaxStore:  math.MaxInt64 / 4,
		JetStreamMaxMemory: 64 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("configure log server: %w", err)
	}
	srv.SetLoggerV2(&serverLog{logger: logger, failed: b.failed}, false, false, false)
	b.srv = srv
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		b.stop()
		return nil, errors.New("start log server: its store did not open")
	}
	// A buffer of one byte, so that who publishes hands a message over itself: the
	// client's goroutine that does it else waits for a processor behind the loops.
	err = b.connect("", nats.InProcessServer(b.srv), nats.NoReconnect(), nats.Timeout(30*time.Second), nats.WriteBufferSize(1), nats.Name("event log"))
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("connect to log server: %w", err)
	}
	return b, nil
}

func (b *broker) connect(url string, options ...nats.Option) (err error) {
	if b.write, err = nats.Connect(url, options...); err != nil {
		return err
	}
	if b.read, err = nats.Connect(url, options...); err != nil {
		return err
	}
	if b.js, err = jetstream.New(b.read, jetstream.WithDefaultTimeout(time.Minute)); err != nil {
		return err
	}
	b.inbox = nats.NewInbox()
	if _, err = b.write.ChanSubscribe(b.inbox+".*", b.acks); err != nil {
		return err
	}
	return b.write.Flush()
}

// stop ends the connections and the server and waits for it.
func (b *broker) stop() {
	if b.write != nil {
		b.write.Close()
	}
	if b.read != nil {
		b.read.Close()
	}
	if b.srv != nil {
		b.srv.Shutdown()
		b.srv.WaitForShutdown()
	}
}

// serverLog passes the server's warnings and errors on to slog.
type serverLog struct {
	logger *slog.Logger
	failed chan struct{}
}

func (s *serverLog) Noticef(string, ...any) {}
func (s *serverLog) Debugf(string, ...any)  {}
func (s *serverLog) Tracef(string, ...any)  {}

func (s *serverLog) Warnf(format string, v ...any) {
	s.logger.Debug("log server: " + fmt.Sprintf(format, v...))
}

func (s *serverLog) Fatalf(format string, v ...any) { s.Errorf(format, v...) }

func (s *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	s.logger.Error("log server: " + text)
	// Publishers get no answer to a write that failed. This spares them the
	// wait; without this line Config.AckTimeout ends it.
	if strings.Contains(text, "failed to store a msg") {
		select {
		case s.failed <- struct{}{}:
		default:
		}
	}
}
