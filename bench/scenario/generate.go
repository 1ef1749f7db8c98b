package scenario

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/readership/readership/bench/dataset"
)

// Generate writes a data set as NDJSON, for imports by hand.
func Generate(_ context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	kind := flags.String("kind", "synthetic", "synthetic, globo (needs the shared data), or visits")
	events := flags.Int("events", 1_500_000, "events; page views of visits, each with an engagement")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *kind {
	case "synthetic":
		return dataset.WriteNDJSON(w, dataset.Repeat(dataset.Synthetic(dataset.DefaultPortal()), *events))
	case "globo":
		clicks, err := dataset.Globo()
		if err != nil {
			return err
		}
		return dataset.WriteNDJSON(w, dataset.Repeat(clicks, *events))
	case "visits":
		v := dataset.DefaultVisits(time.Now().UTC().Truncate(24 * time.Hour).UnixMilli())
		v.Devices = max(1, v.Devices**events/v.Views)
		v.Views = *events
		return v.WriteNDJSON(w)
	}
	return fmt.Errorf("unknown data set %q", *kind)
}
