package web

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAssetsAlwaysHaveAnIndex(t *testing.T) {
	if _, err := fs.ReadFile(Assets, "index.html"); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutABuildAPageSaysHowToMakeIt(t *testing.T) {
	page, err := fs.ReadFile(assets(fstest.MapFS{"dist/.gitkeep": {}}), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "make build") {
		t.Errorf("the page does not name the command:\n%s", page)
	}
}

func TestABuildIsServed(t *testing.T) {
	page, err := fs.ReadFile(assets(fstest.MapFS{"dist/index.html": {Data: []byte("built")}}), "index.html")
	if err != nil || string(page) != "built" {
		t.Errorf("got %q, %v", page, err)
	}
}
