package trie_test

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/readership/readership/internal/engine/trie"
)

// TestMapEqualsMap: every version of a map stays what it was, whatever is made
// of it later.
func TestMapEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			trie  trie.Map[int]
			plain map[string]int
		}
		versions := []version{{plain: map[string]int{}}}
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 300).Draw(t, "key")) })
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			last := versions[len(versions)-1]
			next := version{last.trie, maps.Clone(last.plain)}
			if k := key.Draw(t, "k"); rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
				next.trie = next.trie.Delete(k)
				delete(next.plain, k)
			} else {
				v := rapid.Int().Draw(t, "v")
				next.trie = next.trie.Set(k, v)
				next.plain[k] = v
			}
			versions = append(versions, next)
		}
		for i, v := range versions {
			if got := maps.Collect(v.trie.All()); !maps.Equal(got, v.plain) || v.trie.Len() != len(v.plain) {
				t.Fatalf("version %d holds %v, want %v", i, got, v.plain)
			}
			for k := range 300 {
				got, ok := v.trie.Get(fmt.Sprint(k))
				want, known := v.plain[fmt.Sprint(k)]
				if got != want || ok != known {
					t.Fatalf("version %d: %d is %d %v, want %d %v", i, k, got, ok, want, known)
				}
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	var m trie.Map[int]
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = fmt.Sprint("account-", i)
		m = m.Set(keys[i], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := m.Get(keys[i%len(keys)]); !ok {
			b.Fatal(i)
		}
		i += 7919
	}
}
