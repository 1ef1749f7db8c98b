package lsp

// What follows are the messages of the Language Server Protocol 3.17 that the
// server speaks, with the members that it reads or writes.

// Diagnostic is something to say about a range.
type Diagnostic struct {
	Range    Range         `json:"range"`
	Severity int           `json:"severity"` // 1 error, 2 warning
	Code     string        `json:"code"`
	Source   string        `json:"source"`
	Message  string        `json:"message"`
	Related  []RelatedInfo `json:"relatedInformation,omitempty"`
}

// RelatedInfo is another place that explains a diagnostic.
type RelatedInfo struct {
	Location Location `json:"location"`
	Message  string   `json:"message"`
}

// Location is a range of a document.
type Location struct {
	URI   string `json:"uri"`
	Range Range  `json:"range"`
}

// Markup is text in Markdown.
type Markup struct {
	Kind  string `json:"kind"` // markdown
	Value string `json:"value"`
}

func markdown(text string) *Markup { return &Markup{Kind: "markdown", Value: text} }

// CompletionItem is a name that could be written.
type CompletionItem struct {
	Label         string    `json:"label"`
	Kind          int       `json:"kind"`
	Detail        string    `json:"detail,omitempty"`
	Documentation *Markup   `json:"documentation,omitempty"`
	SortText      string    `json:"sortText,omitempty"`
	FilterText    string    `json:"filterText,omitempty"`
	TextEdit      *TextEdit `json:"textEdit,omitempty"`
}

// Kinds of completion items.
const (
	kindFunction = 3
	kindField    = 5
	kindVariable = 6
	kindClass    = 7
	kindModule   = 9
	kindProperty = 10
	kindValue    = 12
	kindKeyword  = 14
	kindFile     = 17
	kindStruct   = 22
)

// TextEdit replaces a range.
type TextEdit struct {
	Range   Range  `json:"range"`
	NewText string `json:"newText"`
}

// Hover is what is said about a range.
type Hover struct {
	Contents *Markup `json:"contents"`
	Range    *Range  `json:"range,omitempty"`
}

// DocumentSymbol is a definition of a document.
type DocumentSymbol struct {
	Name           string           `json:"name"`
	Detail         string           `json:"detail,omitempty"`
	Kind           int              `json:"kind"`
	Range          Range            `json:"range"`
	SelectionRange Range            `json:"selectionRange"`
	Children       []DocumentSymbol `json:"children,omitempty"`
}

// WorkspaceEdit replaces ranges of documents, by URI.
type WorkspaceEdit struct {
	Changes map[string][]TextEdit `json:"changes"`
}
