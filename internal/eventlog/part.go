package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/readership/readership/internal/event"
)

// maxParts is how many parts a day can have; see event.Position.
const maxParts = 1 << 12

// previousKey is the metadata key under which a part's stream names the
// position that was the log's last when it was created.
const previousKey = "readership-previous"

// part is one stream of the log. Its messages are numbered from 1 without holes.
type part struct {
	day, number int
	previous    event.Position // last of the log before this part; 0: none
	last        uint64         // sequence of the last message; 0: none yet
	bytes       int64
	sealed      bool // nothing is appended any more
}

// partPrefix begins the names of the log's streams.
const partPrefix = "events-"

func (p *part) name() string {
	return partPrefix + strconv.Itoa(p.day) + "-" + strconv.Itoa(p.number)
}

func (p *part) subject() string {
	return "events." + strconv.Itoa(p.day) + "." + strconv.Itoa(p.number)
}

// lastPosition is the last position of the log as of this part.
func (p *part) lastPosition() event.Position {
	if p.last == 0 {
		return p.previous
	}
	return event.MakePosition(p.day, p.number, p.last)
}

// parsePart reads day and number from a stream's name.
func parsePart(name string) (day, number int, ok bool) {
	rest, ok := strings.CutPrefix(name, partPrefix)
	if !ok {
		return 0, 0, false
	}
	d, n, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, 0, false
	}
	day64, err1 := strconv.ParseUint(d, 10, 16)
	number64, err2 := strconv.ParseUint(n, 10, 12)
	return int(day64), int(number64), err1 == nil && err2 == nil
}

// listParts reads the parts of the log from the server, in order.
func (b *broker) listParts(ctx context.Context) ([]part, error) {
	var parts []part
	list := b.js.ListStreams(ctx)
	for info := range list.Info() {
		if b.external() && !strings.HasPrefix(info.Config.Name, partPrefix) {
			continue // somebody else's
		}
		p, err := readPart(info)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list log streams: %w", err)
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.number, b.number))
	})
	return parts, nil
}

func readPart(info *jetstream.StreamInfo) (part, error) {
	day, number, ok := parsePart(info.Config.Name)
	if !ok {
		return part{}, fmt.Errorf("log folder holds a foreign stream %q", info.Config.Name)
	}
	previous, err := strconv.ParseUint(info.Config.Metadata[previousKey], 10, 64)
	if err != nil {
		return part{}, fmt.Errorf("log stream %q does not say what came before it: %w", info.Config.Name, err)
	}
	return part{
		day: day, number: number, previous: event.Position(previous),
		last: info.State.LastSeq, bytes: int64(info.State.Bytes), sealed: info.Config.Sealed,
	}, nil
}

// createPart creates the stream of p.
func (b *broker) createPart(ctx context.Context, p *part) error {
	if _, err := b.js.CreateStream(ctx, b.streamConfig(p)); err != nil {
		return fmt.Errorf("create log stream %s: %w", p.name(), err)
	}
	return nil
}

func (b *broker) streamConfig(p *part) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        p.name(),
		Subjects:    []string{p.subject()},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1,
		MaxBytes:    -1,
		Replicas:    b.replicas,
		DenyDelete:  true,
		DenyPurge:   true,
		AllowDirect: true,
		Metadata:    map[string]string{previousKey: strconv.FormatUint(uint64(p.previous), 10)},
	}
}
