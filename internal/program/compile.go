// Package program keeps the Rubric programs of sites: their versions, which are
// facts of the log, and the plans that they compile to.
package program

import (
	"context"
	"strings"
	"time"

	"github.com/readership/readership/internal/event"
	"github.com/readership/readership/internal/rubric"
	"github.com/readership/readership/internal/rubric/plan"
	"github.com/readership/readership/internal/rubric/schema"
	"github.com/readership/readership/internal/rubric/source"
	"github.com/readership/readership/internal/rubric/testblock"
)

// Initial is the program of a site that has none of its own.
const Initial = "access story { allow everyone }\n"

// MaxBytes bounds all files of a program together.
const MaxBytes = 128 << 10

// Check checks a program for a site and runs its tests, a failing one being an
// error like any other. The plan is nil if one of the diagnostics is an error.
// The error is ctx's.
func Check(ctx context.Context, files map[string]string, s *schema.Schema) (*plan.Program, []source.Diagnostic, error) {
	p := rubric.CheckText(files, s)
	if !p.OK() {
		return nil, p.Diagnostics, nil
	}
	results, err := testblock.Run(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	diagnostics := p.Diagnostics
	for _, r := range results {
		diagnostics = append(diagnostics, r.Failures...)
	}
	if diagnostics = source.Sorted(diagnostics); source.HasErrors(diagnostics) {
		return nil, diagnostics, nil
	}
	return p.Plan, diagnostics, nil
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
