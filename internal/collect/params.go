package collect

import "strings"

// params are the decoded parameters of a query or a form, in their order.
type params []parameter

type parameter struct{ name, value string }

// maxParams bounds the parameters of one query; further ones are not read.
const maxParams = 512

// read reads a query into p's memory. What is not percent-encoded UTF-8 is read
// as well as can be.
func (p params) read(query string, a *arena) params {
	p = p[:0]
	for query != "" && len(p) < maxParams {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, _ := a.unescape(rawName)
		value, _ := a.unescape(rawValue)
		p = append(p, parameter{name, value})
	}
	return p
}

// get returns the first of names that has a value, "" if none has.
func (p params) get(names ...string) string {
	for _, name := range names {
		for i := range p {
			if p[i].name == name && p[i].value != "" {
				return p[i].value
			}
		}
	}
	return ""
}
