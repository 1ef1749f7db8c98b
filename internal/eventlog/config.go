package eventlog

import (
	"errors"
	"log/slog"
	"time"
)

// MaxMessage is the size of the largest message the log takes, in bytes.
const MaxMessage = 8 << 20

// Config says where a log lies and how large it may become.
type Config struct {
	// Dir is the folder of the log; it is created. One process at a time.
	Dir string
	// External keeps the log on a nats-server that runs by itself; Dir then only
	// notes which log it is. nil: an embedded server keeps it in Dir.
	External *External
	// Max is the size in bytes the log may reach (--log-max). 0: what is free
	// and what the log holds, less 10 GB or a tenth of it, whichever is smaller.
	Max int64
	// MinFree is the room in bytes that is left free on the disk in any case.
	// 0: a twentieth of the disk, at least 2 MB and at most 256 MB.
	MinFree int64
	// PartBytes is the size at which a new stream is begun. 0: 2 GB.
	PartBytes int64
	// AckTimeout is how long an append may take before its outcome counts as
	// unknown. 0: 10 s.
	AckTimeout time.Duration
	// Logger is told of trouble. nil: slog.Default().
	Logger *slog.Logger

	// free returns the free and total bytes of Dir's file system; tests set it.
	free func() (free, total int64, err error)
	// lose lets tests lose a message before it is sent, or its answer.
	lose func() (message, answer bool)
}

// WithDefaults returns c with unset fields filled in.
func (c Config) WithDefaults() Config {
	if c.PartBytes == 0 {
		c.PartBytes = 2 << 30
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.free == nil && c.External != nil {
		c.free = unlimited
	}
	if c.free == nil {
		dir := c.Dir
		c.free = func() (int64, int64, error) { return diskSpace(dir) }
	}
	if c.lose == nil {
		c.lose = func() (bool, bool) { return false, false }
	}
	return c
}

// Validate names the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("event log: Dir is empty")
	case c.Max < 0:
		return errors.New("event log: Max must not be negative (bytes)")
	case c.MinFree < 0:
		return errors.New("event log: MinFree must not be negative (bytes)")
	case c.PartBytes < 0:
		return errors.New("event log: PartBytes must not be negative (bytes)")
	case c.AckTimeout < 0:
		return errors.New("event log: AckTimeout must not be negative")
	}
	return nil
}
