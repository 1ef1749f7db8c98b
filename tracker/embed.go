// Package tracker holds the scripts that readers' pages load. `npm run build`
// writes them to dist; without a build the package still compiles and holds none.
package tracker

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// The built scripts. Each has copies with the suffixes .gz and .br beside it.
const (
	Native    = "rs.js"     // of Readership's own tag
	Plausible = "script.js" // of Plausible's
)

// Scripts are the built files, empty without a build.
var Scripts = func() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return files
}()
