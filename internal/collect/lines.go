package collect

import (
	"bytes"
	"fmt"

	"github.com/readership/readership/internal/event"
)

// lines walks over the lines of an NDJSON body.
type lines struct {
	src   []byte
	pos   int
	line  int   // number of the line at pos
	start int64 // where src begins in the body
}

// more skips blank lines and says whether a line is left.
func (l *lines) more() bool {
	for l.pos < len(l.src) {
		switch l.src[l.pos] {
		case '\n':
			l.line++
		case ' ', '\t', '\r':
		default:
			return true
		}
		l.pos++
	}
	return false
}

// next returns the line at pos without its end, and goes to the next.
func (l *lines) next() (line []byte, at int64, number int) {
	at, number = l.start+int64(l.pos), l.line
	line = l.src[l.pos:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
		l.pos += n + 1
		l.line++
	} else {
		l.pos = len(l.src)
	}
	return line, at, number
}

// line reads the next line as an event.
func (p *part) line(l *lines) {
	line, at, number := l.next()
	if len(line) > event.MaxEventBytes {
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > event.MaxEventBytes {
			p.reject(codeTooLong, "", "an event may have 32 KB")
			return
		}
	}
	if bad := utf8Fault(line); bad >= 0 {
		p.rejectLine("the line is not UTF-8", at+int64(bad), number, bad)
		return
	}
	s := scanner{src: line, arena: &p.arena}
	ev := p.begin()
	readEvent(&s, &p.fields)
	if s.why == "" && !s.end() {
		s.fail("expected the end of the line")
	}
	if s.why != "" {
		p.events = p.events[:len(p.events)-1]
		p.rejectLine(s.why, at+int64(s.pos), number, s.pos)
		return
	}
	p.finish(ev)
}

// rejectLine rejects a line that is not JSON; at is the byte of the body.
func (p *part) rejectLine(why string, at int64, number, column int) {
	if len(p.rejected) < MaxListed {
		why = fmt.Sprintf("%s at byte %d (line %d, column %d)", why, at, number, column+1)
	}
	p.reject(codeMalformed, "", why)
}
