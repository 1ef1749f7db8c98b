package identity_test

import (
	"strings"
	"testing"

	"github.com/readership/readership/internal/identity"
)

func TestDecisions(t *testing.T) {
	ids := identity.NewDecisions([]byte("a secret of 16 bytes and more"))
	nonce, err := ids.NewNonce(strings.NewReader("0123456789ab"))
	if err != nil {
		t.Fatal(err)
	}
	known := []byte("what is known")
	id := ids.Seal(nonce, "news", known)
	if got, back, ok := ids.Open("news", id); !ok || got != nonce || string(back) != string(known) {
		t.Fatalf("%v %q %t", got, back, ok)
	}
	if strings.Contains(id, "known") {
		t.Error("an id can be read")
	}
	for i := range id {
		other := byte('A')
		if id[i] == 'A' {
			other = 'B'
		}
		if _, _, ok := ids.Open("news", id[:i]+string(other)+id[i+1:]); ok {
			t.Errorf("an id that was changed at %d was opened", i)
		}
	}
	if _, _, ok := ids.Open("blog", id); ok {
		t.Error("an id of another site was opened")
	}
	if _, _, ok := identity.NewDecisions([]byte("another secret, as long as it")).Open("news", id); ok {
		t.Error("an id of another server was opened")
	}
	if longest := ids.Seal(nonce, "news", make([]byte, identity.MaxSealed)); len(longest) > identity.MaxDecisionID {
		t.Errorf("the longest id has %d bytes", len(longest))
	}
	if ids.Name(id) == ids.Name(id+"x") || strings.HasSuffix(id, ids.Name(id)) {
		t.Error("the name of a commit follows from the id")
	}
}
