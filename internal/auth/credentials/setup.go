package credentials

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/readership/readership/internal/auth"
	"github.com/readership/readership/internal/store"
)

// SetupTime is how long a setup token is valid.
const SetupTime = time.Hour

// NewSetupToken makes the token of the first run, which replaces any before.
// It returns "" when there are people already.
func NewSetupToken(ctx context.Context, db store.Store, now func() time.Time, random io.Reader) (string, error) {
	people, err := db.CountPeople(ctx)
	if err != nil || people > 0 {
		return "", err
	}
	token, err := auth.RandomText(random, "", 24)
	if err != nil {
		return "", err
	}
	if err := db.PutSetupToken(ctx, sha256.Sum256([]byte(token)), now().Add(SetupTime).UnixMilli()); err != nil {
		return "", fmt.Errorf("store setup token: %w", err)
	}
	return token, nil
}
