package collect

import "strings"

const (
	// HeaderVerdict names what became of the events of a foreign tracker's request:
	// stored, bot (stored, of a robot), duplicate, no_consent, invalid:<path>; each
	// once, in this order, where a request has several.
	HeaderVerdict = "X-Readership-Verdict"
	// HeaderDebug, if 1, is the debug switch of requests whose address is the
	// tracker's to make.
	HeaderDebug = "X-Readership-Debug"
)

// verdicts are what became of the events so far.
type verdicts struct {
	stored, bot, duplicate, noConsent bool
	invalid                           []string // the paths, each once
}

// maxInvalid bounds the paths that the verdict names.
const maxInvalid = 8

func (v *verdicts) invalidate(path string) {
	for _, known := range v.invalid {
		if known == path {
			return
		}
	}
	if len(v.invalid) < maxInvalid {
		v.invalid = append(v.invalid, strings.Clone(path))
	}
}

// text is the header's value, "" if there was no event.
func (v *verdicts) text() string {
	var all []string
	for _, one := range []struct {
		is   bool
		name string
	}{{v.stored, "stored"}, {v.bot, "bot"}, {v.duplicate, "duplicate"}, {v.noConsent, "no_consent"}} {
		if one.is {
			all = append(all, one.name)
		}
	}
	for _, path := range v.invalid {
		all = append(all, "invalid:"+headerSafe(path))
	}
	return strings.Join(all, ", ")
}

// headerSafe keeps of a path what may stand in a header.
func headerSafe(path string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ',' {
			return '_'
		}
		return r
	}, path)
}
