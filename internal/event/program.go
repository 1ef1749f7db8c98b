package event

// Facts of a site's program.
const (
	FactProgram = "program" // Key = version, decimal from 1; Value = Program
	FactActive  = "active"  // Key = "", Value = Active
	FactPrepare = "prepare" // Key = "", Value = Prepare
)

// Prepare says which version of a site's program is made ready beside the active
// one. FactActive ends it, with that version, or its removal, without.
type Prepare struct {
	Version int `json:"version"`
}

// Program is one version of a site's Rubric program. Versions are counted from
// 1 and never change.
type Program struct {
	Files map[string]string `json:"files"` // name → text; the program begins in MainFile
	At    int64             `json:"at"`    // when it was stored, Unix milliseconds
	By    string            `json:"by,omitempty"`
}

// MainFile is the file in which a program begins.
const MainFile = "main"

// Active says which version of a site's program holds from here on.
type Active struct {
	Version int `json:"version"` // 0: the program of a new site
	Stored  int `json:"stored"`  // the newest version that there is
}
