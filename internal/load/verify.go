package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// event names one event of a run.
type event struct {
	conn   uint16
	number uint64
}

// acked returns the events that were acknowledged.
func (g *load) acked() map[event]bool {
	acked := make(map[event]bool)
	for _, w := range g.workers {
		for request, ok := range w.acks {
			if !ok {
				continue
			}
			for i := range g.o.Batch {
				acked[event{w.number, uint64(request*g.o.Batch + i)}] = true
			}
		}
	}
	return acked
}

// Verdict is what Verify found.
type Verdict struct {
	Acknowledged int `json:"acknowledged"`
	Found        int `json:"found"` // stored events of the run, acknowledged or not
	Missing      int `json:"missing"`
	Doubled      int `json:"doubled"`
}

// Verify reads the rows of a site as NDJSON and compares them with what was
// acknowledged. The run must have been made with Keep and Mix.Numbers, and
// without engagement, which has no row of its own.
func (r *Report) Verify(rows io.Reader) (Verdict, error) {
	v := Verdict{Acknowledged: len(r.acked)}
	seen := make(map[event]bool, len(r.acked))
	in := bufio.NewReaderSize(rows, 1<<20)
	marker := []byte(`"load":"` + r.Run)
	for {
		line, err := in.ReadSlice('\n')
		if at := bytes.Index(line, marker); at >= 0 {
			_, conn, number, ok := readToken(line[at+len(marker)-len(r.Run):])
			if !ok {
				return v, fmt.Errorf("row has a broken token: %s", line)
			}
			e := event{conn, number}
			if seen[e] {
				v.Doubled++
			}
			seen[e] = true
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return v, fmt.Errorf("read rows: %w", err)
		}
	}
	v.Found = len(seen)
	for e := range r.acked {
		if !seen[e] {
			v.Missing++
		}
	}
	return v, nil
}
