package importer

// maxFailed bounds the unreadable lines that a part carries.
const maxFailed = 1 << 14

// part is the body of one request and where its events come from.
type part struct {
	body    []byte
	events  int
	lines   int64
	skipped int64
	failed  []failure
	runs    []runOfLines
	bytes   int64 // read of all files up to the end of this part
	base    int64 // of those, in files before the one being read
}

// failure is a line that could not be read.
type failure struct {
	file string
	line int
	err  error
}

// runOfLines says that the events from index on stand in lines that follow
// each other, from line on.
type runOfLines struct {
	index int
	file  string
	line  int
}

// take adds what a line of file means.
func (p *part) take(t translator, line []byte, file string, number int) {
	body, skip, err := t.translate(p.body, line)
	switch {
	case err != nil:
		p.reject(file, number, err)
	case skip:
		p.skipped++
		p.lines++
	default:
		p.body = append(body, '\n')
		p.add(file, number)
	}
}

// add notes that the next event stands in a line of file.
func (p *part) add(file string, line int) {
	n := len(p.runs)
	if n == 0 || p.runs[n-1].file != file || line-p.runs[n-1].line != p.events-p.runs[n-1].index {
		p.runs = append(p.runs, runOfLines{p.events, file, line})
	}
	p.events++
	p.lines++
}

func (p *part) reject(file string, line int, err error) {
	p.failed = append(p.failed, failure{file, line, err})
	p.lines++
}

// place returns the file and line of an event by its index in the body.
func (p *part) place(index int) (file string, line int) {
	lo, hi := 0, len(p.runs)
	for lo < hi {
		if mid := (lo + hi) / 2; p.runs[mid].index <= index {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return "?", 0
	}
	r := p.runs[lo-1]
	return r.file, r.line + index - r.index
}

func (p *part) reset() {
	*p = part{body: p.body[:0], failed: p.failed[:0], runs: p.runs[:0]}
}
