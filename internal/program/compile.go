// Package program keeps the Rubric programs of sites: their versions, which are
// facts of the log, and the plans that they compile to.
package program

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric/ast"
	"github.com/readership/readership/internal/rubric/check"
	"github.com/readership/readership/internal/rubric/parse"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
)

// Initial is the program of a site that has none of its own.
const Initial = "access story { allow everyone }\n"

// Limits of what is stored.
const (
	MaxFiles = 32
	MaxBytes = 128 << 10 // of all files
)

// Compile checks a program for a site. The plan is nil if one of the
// diagnostics is an error.
func Compile(files map[string]string, s *schema.Schema) (*plan.Program, []source.Diagnostic) {
	var trees []*ast.Program
	var diagnostics []source.Diagnostic
	for _, name := range names(files) {
		tree, faults := parse.File(source.NewFile(name, files[name]))
		trees, diagnostics = append(trees, tree), append(diagnostics, faults...)
	}
	p, faults := check.Program(trees, s)
	if diagnostics = source.Sorted(append(diagnostics, faults...)); source.HasErrors(diagnostics) {
		return nil, diagnostics
	}
	return p, diagnostics
}

// names returns the names of files, the main one first.
func names(files map[string]string) []string {
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == event.MainFile })
	return append([]string{event.MainFile}, list...)
}

// Schema returns what a site's programs are checked against, as far as its
// settings say it.
func Schema(site *event.Site) *schema.Schema {
	s := schema.Default()
	if zone, err := time.LoadLocation(site.Timezone); err == nil {
		s.Calendar.Zone = zone
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(site.WeekStart, d.String()) {
			s.Calendar.WeekStart = d
		}
	}
	s.Window = site.WindowDuration().Milliseconds()
	return s
}
