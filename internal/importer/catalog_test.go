package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/readership/readership/internal/client"
	"github.com/readership/readership/internal/event"
)

func TestColumnsAreTheFieldsOfItems(t *testing.T) {
	var want []string
	for i := range reflect.TypeFor[event.Item]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[event.Item]().Field(i).Tag.Get("json"), ",")
		if name != "attributes" && name != "source" { // what a page said of itself is not imported
			want = append(want, name)
		}
	}
	var got []string
	for name := range itemColumns {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// readItems reads all items of a file, and the lines of those with a fault.
func readItems(file []byte) (items []json.RawMessage, faults []string, err error) {
	src, err := open("-", bytes.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	next, err := itemSource(src)
	if err != nil {
		return nil, nil, err
	}
	for {
		line, err := next()
		var wrong lineError
		switch {
		case errors.Is(err, io.EOF):
			return items, faults, nil
		case errors.As(err, &wrong):
			faults = append(faults, fmt.Sprintf("%d: %v", src.number, wrong))
			continue
		case err != nil:
			return items, faults, err
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		out, _, err := itemLines{}.translate(nil, line)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%d: %v", src.number, err))
			continue
		}
		items = append(items, out)
	}
}

func TestReadItems(t *testing.T) {
	f := func(file string, wantItems, wantFaults []string) {
		t.Helper()
		items, faults, err := readItems([]byte(file))
		if err != nil {
			faults = append(faults, err.Error())
		}
		var got []string
		for _, i := range items {
			got = append(got, string(i))
		}
		if diff := cmp.Diff(wantItems, got); diff != "" {
			t.Errorf("%q: items (-want +got):\n%s", file, diff)
		}
		if diff := cmp.Diff(wantFaults, faults); diff != "" {
			t.Errorf("%q: faults (-want +got):\n%s", file, diff)
		}
	}
	f("", nil, nil)
	f("\n {\"id\":\"a\"}\n", []string{` {"id":"a"}`}, nil)
	f("\ufeffid,title\r\na,\"x\"\"y\"\r\n\r\nb,\r\n", []string{`{"id":"a","title":"x\"y"}`, `{"id":"b"}`}, nil)
	f("id;tags;published_at\na; x| y ||z;1772348400000\nb;|;2026", []string{`{"id":"a","tags":["x","y","z"],"published_at":1772348400000}`, `{"id":"b","tags":[],"published_at":2026}`}, nil)
	f("attributes.x\tid\tattributes.y\n1\ta\t\n\tb\t2\n", []string{`{"id":"a","attributes":{"x":"1"}}`, `{"id":"b","attributes":{"y":"2"}}`}, nil)
	f("id,title\na,5\" nail\nb,\"x\"y\nc,\xff\nd,e,f\ng,h\n", []string{`{"id":"g","title":"h"}`},
		[]string{"2: byte 4: bare \" in non-quoted-field", "3: byte 5: extraneous or missing \" in quoted-field", "4: the cell of \"title\" is not UTF-8", "5: there are 3 cells and 2 columns"})
	f("id,title\na,\"open\nb,c\n", nil, []string{"2: line 3, byte 5: extraneous or missing \" in quoted-field"})
	f("id,title\na,b\nc,\""+strings.Repeat("x\n", MaxLine), []string{`{"id":"a","title":"b"}`}, []string{"read - after line 2: a record is longer than 1048576 bytes; is a quote not closed?"})
	f("id,id\n", nil, []string{`-: the column "id" is there twice`})
	f("id,attributes.\n", nil, []string{`-: an item has no field "attributes.", and columns of your own are named attributes.NAME`})
	f(" [\n", nil, []string{`- is one JSON array: write an item a line, as jq -c '.[]' does`})
}

// TestCSVHoldsItems writes items as CSV, by its own writer, and reads them back.
func TestCSVHoldsItems(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09äß€😀,;\"'\t\n{}[]:\\ ")), 1, 12, -1)
	cell := rapid.Custom(func(t *rapid.T) string { return strings.TrimSpace(word.Draw(t, "cell")) })
	rapid.Check(t, func(t *rapid.T) {
		type row struct {
			ID         string            `json:"id,omitempty"`
			Title      string            `json:"title,omitempty"`
			Tags       []string          `json:"tags,omitempty"`
			Attributes map[string]string `json:"attributes,omitempty"`
		}
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma = rapid.SampledFrom([]rune(",;\t")).Draw(t, "separator")
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		_ = w.Write([]string{"id", "tags", "attributes.desk", "title"})
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			r := row{ID: "i" + cell.Draw(t, "id"), Title: cell.Draw(t, "title")}
			for _, tag := range rapid.SliceOfN(cell, 0, 3).Draw(t, "tags") {
				if tag != "" {
					r.Tags = append(r.Tags, tag)
				}
			}
			if desk := cell.Draw(t, "desk"); desk != "" {
				r.Attributes = map[string]string{"desk": desk}
			}
			_ = w.Write([]string{r.ID, strings.Join(r.Tags, " | "), r.Attributes["desk"], r.Title})
			text, _ := json.Marshal(r)
			want = append(want, string(text))
		}
		w.Flush()
		items, faults, err := readItems(file.Bytes())
		if err != nil || len(faults) > 0 {
			t.Fatalf("%v %v\n%s", err, faults, file.Bytes())
		}
		var got []string
		for _, item := range items {
			var r row
			if err := json.Unmarshal(item, &r); err != nil {
				t.Fatalf("%s: %v", item, err)
			}
			text, _ := json.Marshal(r)
			got = append(got, string(text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s\n%s", diff, file.Bytes())
		}
	})
}

func FuzzReadItems(f *testing.F) {
	f.Add([]byte("id,title,tags\na,\"x\ny\",p|q\n"))
	f.Add([]byte("\ufeffid;published_at;attributes.n\na;1772348400000;5\n"))
	f.Add([]byte("{\"id\":\"a\"}\n{\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		items, _, _ := readItems(file)
		for _, item := range items {
			if !json.Valid(item) || bytes.IndexByte(item, '\n') >= 0 {
				t.Fatalf("%q is no line of JSON", item)
			}
		}
	})
}

// TestImportCatalogInParts has a server that refuses items by their place, as the
// real one does, a hundred faults at a time.
func TestImportCatalogInParts(t *testing.T) {
	const n = 3*partItems + 5
	stored := make(map[string]bool)
	busy, bodies := 2, 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bodies++
		if bodies%3 == 0 && busy > 0 {
			busy--
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var faults, ids []string
		for i, line := range strings.Split(strings.TrimSuffix(string(body), "\n"), "\n") {
			var item struct{ ID, Title string }
			_ = json.Unmarshal([]byte(line), &item)
			if item.Title == "bad" && len(faults) < 100 {
				faults = append(faults, fmt.Sprintf(`{"location":"body[%d].title","code":"bad_value","message":"is bad"}`, i))
			}
			ids = append(ids, item.ID)
		}
		if len(faults) > 0 {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprintf(w, `{"title":"Unprocessable Entity","errors":[%s]}`, strings.Join(faults, ","))
			return
		}
		for _, id := range ids {
			stored[id] = true
		}
		_, _ = fmt.Fprintf(w, `{"created":%d}`, len(ids))
	}))
	defer web.Close()
	c, err := client.New(web.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var file strings.Builder
	file.WriteString("id,title\n")
	bad := 0
	for i := range n {
		title := "good"
		if i%17 == 0 {
			title = "bad"
			bad++
		}
		fmt.Fprintf(&file, "a%d,%s\n", i, title)
	}
	path := write(t, "items.csv", []byte(file.String()))
	var out, errs bytes.Buffer
	sum, err := Run(context.Background(), c, Options{Kind: Catalog, Files: []string{path}, Site: "news", Out: &out, Err: &errs, Patience: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Summary{Lines: n, Stored: n - int64(bad), Created: n - int64(bad), Rejected: int64(bad)}); *sum != want {
		t.Errorf("%+v, want %+v", *sum, want)
	}
	if len(stored) != n-bad || stored["a17"] || !stored["a18"] {
		t.Errorf("%d are stored", len(stored))
	}
	for _, want := range []string{path + ":2: bad_value at title: is bad", path + ":19: bad_value", "503", fmt.Sprintf("%d more rejected lines are not shown", bad-maxShown)} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not in\n%s", want, errs.String())
		}
	}
}
