package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
)

// Whom the test erases, beside a device that the server has named. The engine
// packs a UUID. The last is what only they had.
const (
	gonePhone   = "5e0f9c2b-7a4d-4c36-9e21-5b8d7c6a4f10"
	goneLaptop  = "somebody-known-laptop"
	goneAccount = "somebody-known"
	goneItem    = "article-of-nobody-else"
)

// stayed are readers who are not erased. The tablet was somebody's too.
var stayed = []string{"device:o1", "device:o2", "device:tablet", "account:k1", "device:never"}

// eraseProgram adds segments of every kind to story.
const eraseProgram = story + `
segment today   = reads |> per day |> any
segment hot     = events |> where type == "wall_shown" |> then (events |> where type == "plans_opened") within 30m |> last 7d |> any
segment engaged = reads |> last 7d |> sum engaged_seconds >= 30
segment local   = reader.traits.city == "Graz"
segment premium = reader.entitled("premium")
segment halves  = arm("colour", 2) == 1
`

// tale is what happens to a server: with somebody who is erased later, or the
// same without.
type tale struct {
	*newsroom
	somebody bool
	dir      string
	stop     func()
	named    string            // the device that the server has named
	ids      map[string]string // of decisions, by reader and item
}

func openTale(t *testing.T, somebody bool) *tale {
	s := &tale{somebody: somebody, dir: t.TempDir(), ids: map[string]string{}}
	s.newsroom = &newsroom{t: t, clock: newClock(time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC))}
	s.up()
	s.want(201, "POST", "/v1/sites", rootKey, `{"id":"news","domains":["news.example"],"timezone":"Europe/Berlin","privacy":{"without_consent":"assume"}}`)
	s.want(200, "PUT", "/v1/sites/news/program", rootKey, asJSON(map[string]any{"files": map[string]string{"main": eraseProgram}}))
	s.want(200, "POST", "/v1/sites/news/items", rootKey, `[{"id":"free","tier":"free","section":"sport"},{"id":"gold","tier":"premium"},{"id":"a1","section":"sport","url":"https://news.example/a1"}]`)
	s.want(201, "PUT", "/v1/sites/news/lists/campus", rootKey, `{"entitlement":"premium","cidrs":["192.0.2.0/24"],"seats":5}`)
	return s
}

// up starts the server, or starts it again.
func (s *tale) up() {
	s.node, s.stop = up(s.t, Config{Data: s.dir, Now: s.clock.now})
	s.address = "http://" + s.node.front.listener.Addr().String()
}

// send sends an event of its own second.
func (s *tale) send(fields string) {
	s.t.Helper()
	s.clock.advance(time.Second)
	s.want(200, "POST", "/v1/events?site=news", rootKey, `{`+fields+`}`)
}

// decide asks about an item and keeps the decision's id.
func (s *tale) decide(reader, item, more string) map[string]any {
	s.t.Helper()
	v := s.want(200, "POST", "/v1/sites/news/decisions", rootKey, fmt.Sprintf(`{"access":"story","reader":{%s},"item":{"id":%q}%s}`, reader, item, more)).json(s.t)
	s.ids[v["reader"].(string)+" "+item] = v["decision_id"].(string)
	return v
}

func (s *tale) gift(giver string) (token string) {
	s.t.Helper()
	return s.want(201, "POST", "/v1/sites/news/links", rootKey, fmt.Sprintf(`{"kind":"gift","item":"gift","giver":%q}`, giver)).json(s.t)["token"].(string)
}

// live lets everybody read, log in and out, be counted and stopped.
func (s *tale) live() {
	const commit = `,"commit":true`
	read := func(device, item, more string) {
		s.send(fmt.Sprintf(`"type":"page_view","device":%q,"item":%q,"url":"https://news.example/%[2]s?by=%[1]s","view":"%[1]s-%[2]s"%[3]s`, device, item, more))
	}
	walls := func(device string) {
		s.send(fmt.Sprintf(`"type":"wall_shown","device":%q,"item":"a1"`, device))
		s.send(fmt.Sprintf(`"type":"plans_opened","device":%q,"properties":{"by":%[1]q}`, device))
		s.send(fmt.Sprintf(`"type":"engagement","device":%q,"view":"%[1]s-a1","engaged_seconds":40,"scroll_percent":80`, device))
	}
	fromSomebody, fromOther := s.gift("account:"+goneAccount), s.gift("account:k1")
	for i, device := range []string{"o1", "o2", "tablet"} {
		read(device, "a1", `,"properties":{"plan":"x"}`)
		read(device, fmt.Sprint("b", i), "")
		walls(device)
		for n := range 4 {
			s.decide(fmt.Sprintf(`"device":%q`, device), fmt.Sprint("c", n), commit)
		}
		s.decide(fmt.Sprintf(`"device":%q`, device), "gift", fmt.Sprintf(`,"request":{"url":"https://news.example/gift?rs=%s"}%s`, fromSomebody, commit))
		read(device, "gift", fmt.Sprintf(`,"referrer":"https://news.example/gift?rs=%s"`, fromSomebody))
	}
	s.want(201, "PUT", "/v1/sites/news/accounts/k1", rootKey, `{"traits":{"city":"Graz"},"entitlements":[{"name":"premium","until":"2026-03-25T00:00:00Z"}]}`)
	if s.somebody {
		s.named = s.want(201, "POST", "/v1/sites/news/devices", rootKey, `{}`).json(s.t)["device"].(string)
		s.want(201, "PUT", "/v1/sites/news/accounts/"+goneAccount, rootKey, `{"traits":{"city":"Graz","mail":"somebody-known@mail.example"},"entitlements":[{"name":"sport"}]}`)
		for _, device := range []string{s.named, gonePhone, goneLaptop} {
			read(device, "a1", `,"properties":{"plan":"x"}`)
			read(device, goneItem, fmt.Sprintf(`,"title":"by %s"`, device))
			walls(device)
			for _, item := range []string{"c0", "c1", goneItem, "c3"} {
				s.decide(fmt.Sprintf(`"device":%q`, device), item, commit)
			}
			s.decide(fmt.Sprintf(`"device":%q`, device), "gift", fmt.Sprintf(`,"request":{"link":%q}%s`, fromOther, commit))
			s.decide(fmt.Sprintf(`"device":%q`, device), "gold", `,"request":{"ip":"192.0.2.7"}`+commit)
			s.want(204, "DELETE", "/v1/sites/news/readers/device:"+device+"/meters/monthly?why=asked", rootKey, "")
			s.decide(fmt.Sprintf(`"device":%q`, device), "c5", commit)
		}
		s.want(200, "POST", "/v1/sites/news/logins", rootKey, fmt.Sprintf(`{"device":%q,"account":%q}`, s.named, goneAccount), "Idempotency-Key: the login of "+goneAccount)
		read(s.named, "d1", "")
		s.want(204, "DELETE", "/v1/sites/news/logins/"+s.named, rootKey, "")
		s.want(200, "POST", "/v1/sites/news/logins", rootKey, fmt.Sprintf(`{"device":%q,"account":%q}`, gonePhone, goneAccount))
		read(gonePhone, "d1", "")
		s.decide(fmt.Sprintf(`"device":%q,"account":%q`, gonePhone, goneAccount), "d2", commit)
		// On a device that somebody else has, too.
		s.want(200, "POST", "/v1/sites/news/logins", rootKey, fmt.Sprintf(`{"device":"tablet","account":%q}`, goneAccount))
		read("tablet", goneItem, "")
		s.decide(fmt.Sprintf(`"device":"tablet","account":%q`, goneAccount), "d3", commit)
		s.want(204, "DELETE", "/v1/sites/news/logins/tablet", rootKey, "")
		read("o2", "a1", fmt.Sprintf(`,"account":%q`, goneAccount))
		s.send(fmt.Sprintf(`"type":"page_view","account":%q,"item":"a1"`, goneAccount))
		s.send(fmt.Sprintf(`"type":"identify","device":%q,"account":%q,"traits":{"city":"Graz"}`, gonePhone, goneAccount))
		s.decide(fmt.Sprintf(`"device":%q`, s.named), "bare", "")
	}
	s.clock.advance(time.Date(2026, 3, 20, 9, 5, 0, 0, time.UTC).Sub(s.clock.now()))
	s.want(200, "POST", "/v1/sites/news/logins", rootKey, `{"device":"o1","account":"k1"}`)
	read("o1", "e1", "")
	s.decide(`"device":"o1","account":"k1"`, "e2", commit)
	s.want(204, "DELETE", "/v1/sites/news/logins/o1", rootKey, "")
	for _, device := range []string{"o1", "o2", "tablet"} {
		read(device, "e3", "")
	}
	s.decide(`"device":"o2"`, "bare", "")
}

// gone are those who are erased.
func (s *tale) gone() []string {
	return []string{"device:" + s.named, "device:" + gonePhone, "account:" + goneAccount, "device:" + goneLaptop}
}

// passing is what may differ between two answers that say the same.
var passing = regexp.MustCompile(`("(?:took_us|took_ms|position|decision_id|decision\.asked|decision\.code)":|rs=)("[^"]*"|[\w.-]+)`)

// ask returns the answer to a question, without what is passing; lines of an
// answer without an order are sorted.
func (s *tale) ask(method, path, body string) string {
	s.t.Helper()
	r := s.do(method, "/v1/sites/news"+path, rootKey, body)
	lines := strings.Split(passing.ReplaceAllString(r.body, `${1}0`), "\n")
	if strings.HasPrefix(r.header.Get("Content-Type"), "application/x-ndjson") {
		slices.Sort(lines)
	}
	return fmt.Sprint(r.status, " ", strings.Join(lines, "\n"))
}

// of returns what the server says of readers.
func (s *tale) of(readers ...string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, reader := range readers {
		kind, id, _ := strings.Cut(reader, ":")
		for _, path := range []string{"", "/segments", "/segments?at=2026-03-20T09:00:30Z", "/decisions"} {
			out[reader+path] = s.ask("GET", "/readers/"+reader+path, "")
		}
		for _, item := range []string{"free", "gold", "c0", "c9", "d2", goneItem} {
			out[reader+" "+item] = s.ask("POST", "/decisions", fmt.Sprintf(`{"access":"story","reader":{%q:%q},"item":{"id":%q}}`, kind, id, item))
		}
		if kind == "account" {
			out[reader+" account"] = s.ask("GET", "/accounts/"+id, "")
		}
	}
	return out
}

// everything returns what the server says of all readers together.
func (s *tale) everything() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, path := range []string{"/segments", "/events", "/live", "/lists/campus", "/items", "/program"} {
		out[path] = s.ask("GET", path, "")
	}
	for _, name := range []string{"fan", "today", "hot", "engaged", "local", "premium", "halves"} {
		for _, path := range []string{"/segments/" + name, "/segments/" + name + "/members", "/segments/" + name + "?at=2026-03-20T09:00:30Z"} {
			out[path] = s.ask("GET", path, "")
		}
		out["members of "+name] = s.ask("POST", "/query", fmt.Sprintf(`{"metrics":["page_views","visitors"],"date_range":"30d","filters":[["segment",%q]]}`, name))
	}
	for _, dimension := range []string{"", `"item"`, `"url"`, `"title"`, `"referrer"`, `"type"`, `"account"`, `"plan"`, `"by"`, `"loyalty"`, `"time:hour"`, `"section"`, `"entry_item"`} {
		out["by "+dimension] = s.ask("POST", "/query", fmt.Sprintf(`{"metrics":["events","page_views","visitors","visits","bounce_rate","engaged_seconds"],"date_range":"30d","dimensions":[%s],"include":{"totals":true}}`, dimension))
	}
	return out
}

// TestErasedReaders: whoever is erased is forgotten at once: what the server
// says of others and of all together is what it says where they never were. So
// it is after the daily work, which leaves none of their names outside the log,
// and in a replay of the log from its beginning.
func TestErasedReaders(t *testing.T) {
	s, never := openTale(t, true), openTale(t, false)
	changes := s.follow("")
	s.live()
	never.live()
	if err := s.node.engine.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{s.named, gonePhone, goneLaptop, goneAccount, goneItem} {
		if len(s.finds(id)) == 0 {
			t.Fatalf("the test proves nothing: %s was never kept", id)
		}
	}
	seen := changes.until(func(e string) bool { return strings.Contains(e, "somebody-known") })
	ids := s.ids
	for _, reader := range s.gone() {
		r := s.want(200, "DELETE", "/v1/sites/news/readers/"+reader, rootKey, "").json(t)
		now := s.clock.now().UTC()
		if r["reader"] != reader || r["memory"] != now.Format(time.RFC3339Nano) || r["archive"] != now.Add(24*time.Hour).Format(time.RFC3339Nano) || r["log"] != "2026-04-22T01:00:00Z" {
			t.Errorf("receipt %v", r)
		}
	}
	same := func(when string, want, got map[string]string) {
		t.Helper()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check := func(when string) {
		t.Helper()
		same(when+", others", never.of(stayed...), s.of(stayed...))
		same(when+", all together", never.everything(), s.everything())
		of := func(tale *tale) map[string]string { return tale.of(s.gone()...) }
		same(when+", who is gone", of(never), of(s))
		for what, id := range ids {
			r := s.do("GET", "/v1/sites/news/decisions/"+id, rootKey, "")
			code := s.want(200, "GET", "/v1/sites/news/decisions?code="+id[len(id)-8:], rootKey, "")
			reader, _, _ := strings.Cut(what, " ")
			switch gone := slices.Contains(s.gone(), reader); {
			case gone && (r.status != 404 || strings.Contains(code.body, id)):
				t.Errorf("%s, decision about %s: %d %s %s", when, what, r.status, r.body, code.body)
			case !gone && !strings.HasSuffix(what, " bare") && (r.status != 200 || !strings.Contains(code.body, id)):
				t.Errorf("%s, decision about %s: %d %s %s", when, what, r.status, r.body, code.body)
			}
		}
		if e := s.follow(seen).until(func(string) bool { return true }); !strings.HasPrefix(e, "reset") {
			t.Errorf("%s the stream of changes goes on with %s", when, e)
		}
	}
	tick := func() { // so that the log says where a stream of changes begins
		for _, tale := range []*tale{s, never} {
			tale.clock.advance(time.Second)
		}
	}
	check("at once")

	for _, tale := range []*tale{s, never} {
		tale.clock.advance(24 * time.Hour)
		if err := tale.node.upkeep().daily(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check("after the daily work")
	if n := s.node.engine.Erasures(); n > 0 {
		t.Errorf("%d erasures wait", n)
	}
	s.empty("after the daily work")
	s.stop()
	s.empty("after the stop")
	s.up()
	tick()
	check("from the checkpoint")
	s.stop()
	if err := os.RemoveAll(filepath.Join(s.dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	s.up()
	tick()
	check("from a replay")
}

// changes is a stream of changes of segments that somebody reads.
type changes struct {
	t    testing.TB
	body *bufio.Scanner
	id   string
}

// follow reads the stream after an event, "" for from now on.
func (s *tale) follow(after string) *changes {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", s.address+"/v1/sites/news/segment-changes", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+rootKey)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return &changes{t: s.t, body: bufio.NewScanner(res.Body)}
}

// until returns the first event that is looked for, or, where that has an id,
// the id of the last one before it.
func (c *changes) until(found func(event string) bool) string {
	c.t.Helper()
	name := ""
	for c.body.Scan() {
		switch field, value, _ := strings.Cut(c.body.Text(), ": "); field {
		case "id":
			c.id = value
		case "event":
			name = value
		case "data":
			if e := name + " " + value; found(e) {
				if c.id != "" && name != "reset" {
					return c.id
				}
				return e
			}
		}
	}
	c.t.Fatalf("the stream of changes ended: %v", c.body.Err())
	return ""
}

// kept is something that a data folder has outside the log.
type kept struct {
	where string
	raw   []byte
}

// kept returns the files, and, as they are compressed, the keys and values of
// the checkpoint.
func (s *tale) kept() (out []kept) {
	s.t.Helper()
	copied := s.t.TempDir()
	log := filepath.Join(s.dir, "log") + string(filepath.Separator)
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, log) {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(s.dir, path)
		out = append(out, kept{"the name of " + name, []byte(name)}, kept{name, raw})
		if err == nil && strings.HasPrefix(name, filepath.Join("checkpoint", "checkpoint")+string(filepath.Separator)) {
			err = os.WriteFile(filepath.Join(copied, filepath.Base(path)), raw, 0o600)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := pebble.Open(copied, &pebble.Options{Logger: quietPebble{}, ReadOnly: true, ErrorIfNotExists: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, kept{fmt.Sprintf("key %q", it.Key()), bytes.Clone(it.Key())}, kept{fmt.Sprintf("value of %q", it.Key()), bytes.Clone(it.Value())})
	}
	return out
}

// quietPebble says nothing.
type quietPebble struct{}

func (quietPebble) Infof(string, ...any)  {}
func (quietPebble) Errorf(string, ...any) {}
func (quietPebble) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// forms returns a text in the forms in which it could be kept, by name.
func forms(text string) map[string][]byte {
	hash, sum := xxh3.HashString(text), sha256.Sum256([]byte(text))
	out := map[string][]byte{
		"itself":        []byte(text),
		"hexadecimal":   []byte(hex.EncodeToString([]byte(text))),
		"hash":          binary.LittleEndian.AppendUint64(nil, hash),
		"hash, swapped": binary.BigEndian.AppendUint64(nil, hash),
		"sha256":        sum[:],
		"sha256 as hex": []byte(hex.EncodeToString(sum[:])),
	}
	if raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", "")); err == nil && len(raw) == 16 {
		out["packed"] = raw
	}
	for shift := range 3 { // the letters that are the text's alone, wherever it begins
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		encoded = strings.TrimRight(encoded, "=")
		encoded = encoded[[]int{0, 2, 3}[shift] : len(encoded)-1]
		out[fmt.Sprint("base64, ", shift)] = []byte(encoded)
		out[fmt.Sprint("base64url, ", shift)] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(encoded))
	}
	return out
}

// finds says where in the folder, the log left out, a text stands, and how.
func (s *tale) finds(text string) (out []string) {
	s.t.Helper()
	for _, k := range s.kept() {
		for form, raw := range forms(text) {
			if bytes.Contains(k.raw, raw) {
				out = append(out, fmt.Sprintf("%s (%s) in %s", text, form, k.where))
			}
		}
	}
	return out
}

// empty looks for whoever is gone in all of the folder but the log.
func (s *tale) empty(when string) {
	s.t.Helper()
	for _, text := range []string{s.named, gonePhone, goneLaptop, goneAccount, goneItem, "mail.example"} {
		for _, place := range s.finds(text) {
			s.t.Errorf("%s stands %s", when, place)
		}
	}
}
