// Package web holds the built dashboard. `npm run build` writes it to dist;
// without a build the package still compiles and holds one plain page that
// says how to make it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

//go:embed unbuilt/index.html
var unbuilt embed.FS

// Assets are the files of the dashboard, index.html at the root. Names below
// assets/ carry a hash of their content, so they may be cached for ever.
var Assets = assets(dist)

// built says whether files hold the dashboard.
func built(files fs.FS) bool {
	_, err := fs.Stat(files, "dist/index.html")
	return err == nil
}

func assets(files fs.FS) fs.FS {
	if built(files) {
		return below(files, "dist")
	}
	return below(unbuilt, "unbuilt")
}

// below returns a folder that is known to exist.
func below(files fs.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err)
	}
	return sub
}
