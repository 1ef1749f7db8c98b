package importer

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress shows how far an import is: a bar that is drawn over on a terminal,
// else a line now and then.
type progress struct {
	w     io.Writer
	tty   bool
	now   func() time.Time
	noun  string        // what is counted
	plain time.Duration // how often a line is printed where there is no terminal
	total int64         // bytes of all files; 0 if unknown
	start time.Time
	last  time.Time
	drawn bool
}

// The bar moves at most ten times a second, the plain line every ten seconds.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

func (p *progress) begin() {
	p.start = p.now()
	p.last = p.start
}

// show draws the state: bytes read of the files and what was answered of them.
func (p *progress) show(bytes, count int64) {
	now := p.now()
	every := p.plain
	if p.tty {
		every = barEvery
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	rate := float64(count) / max(now.Sub(p.start).Seconds(), 0.001)
	if !p.tty {
		done := ""
		if p.total > 0 {
			done = fmt.Sprintf("%d %%, ", 100*bytes/p.total)
		}
		fmt.Fprintf(p.w, "%s%s %s, %s/s\n", done, thousands(count), p.noun, thousands(int64(rate)))
		return
	}
	p.drawn = true
	if p.total == 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%s %s  %s/s", thousands(count), p.noun, thousands(int64(rate)))
		return
	}
	share := min(1, float64(bytes)/float64(p.total))
	left := ""
	if share > 0.01 && share < 1 {
		rest := time.Duration(float64(now.Sub(p.start)) * (1 - share) / share)
		left = "  " + rest.Round(time.Second).String() + " left"
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s %3.0f %%  %s %s  %s/s%s", bar(share), 100*share, thousands(count), p.noun, thousands(int64(rate)), left)
}

// clear removes the bar, so that other lines can be printed.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// bar draws a share of 0..1 in eighths of a cell.
func bar(share float64) string {
	eighths := int(share*barWidth*8 + 0.5)
	var b strings.Builder
	b.WriteString(strings.Repeat("█", eighths/8))
	if rest := eighths % 8; rest > 0 {
		b.WriteRune([]rune(" ▏▎▍▌▋▊▉")[rest])
		eighths += 8 - rest
	}
	b.WriteString(strings.Repeat("·", barWidth-eighths/8))
	return b.String()
}
