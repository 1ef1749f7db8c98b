package ask

import (
	"context"
	"slices"

	"github.com/readership/readership/internal/access"
	"github.com/readership/readership/internal/engine"
)

// answerUnknown answers who proves nothing as the identity of the day that all of
// one address and user agent share, and commits that, unless a meter of it burns:
// then the answer is nil, and the reader is the device that was made for it. So
// each new device has cost the shared identity a burn, and whoever clears cookies
// runs out of them; what that has read already, and what burns nothing, makes no
// device. Errors: those of Answer.
func (f *Front) answerUnknown(ctx context.Context, a *Asked) (*Answer, error) {
	asks := slices.Clone(a.asks)
	for i := range asks {
		asks[i].Reader, asks[i].Device, asks[i].Commit = engine.ReaderName(a.asker.unknown), a.asker.unknown, true
	}
	out, burned := &Answer{Many: a.many}, false
	err := f.Service.DecideAll(ctx, asks, func(_ int, v *access.Verdict) {
		burned = burned || v.HasBurned()
		out.Verdicts = append(out.Verdicts, v)
	})
	switch {
	case err != nil:
		return nil, Problem(err)
	case burned:
		return nil, nil
	}
	return out, nil
}
