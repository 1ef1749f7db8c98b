package langserver

import (
	"go.lsp.dev/jsonrpc2"

	"github.com/readership/readership/internal/rubric/lsp"
)

// methods are what a client can ask once it has said who it is. They hold the
// server's lock.
var methods = map[string]func(*server, *jsonrpc2.Request) (any, error){
	"initialized":             func(*server, *jsonrpc2.Request) (any, error) { return nil, nil },
	"textDocument/didOpen":    with((*server).didOpen),
	"textDocument/didChange":  with((*server).didChange),
	"textDocument/didClose":   with((*server).didClose),
	"textDocument/didSave":    func(s *server, _ *jsonrpc2.Request) (any, error) { s.changed(); return nil, nil },
	"textDocument/completion": with(func(s *server, p place) (any, error) { return s.completion(p), nil }),
	"textDocument/hover":      with(func(s *server, p place) (any, error) { return s.work.Hover(p.TextDocument.URI, p.Position), nil }),
	"textDocument/definition": with(func(s *server, p place) (any, error) {
		return s.work.Definition(p.TextDocument.URI, p.Position), nil
	}),
	"textDocument/references": with(func(s *server, p references) (any, error) {
		return s.work.References(p.TextDocument.URI, p.Position, p.Context.IncludeDeclaration), nil
	}),
	"textDocument/rename":         with((*server).rename),
	"textDocument/documentSymbol": with(func(s *server, p document) (any, error) { return s.work.Symbols(p.TextDocument.URI), nil }),
	"textDocument/formatting":     with(func(s *server, p document) (any, error) { return s.work.Format(p.TextDocument.URI), nil }),
	// Files that are not open are read anew whenever documents are checked.
	"workspace/didChangeWatchedFiles": func(s *server, _ *jsonrpc2.Request) (any, error) { s.changed(); return nil, nil },
}

// with decodes the parameters of a method.
func with[P any](fn func(*server, P) (any, error)) func(*server, *jsonrpc2.Request) (any, error) {
	return func(s *server, r *jsonrpc2.Request) (any, error) {
		return decoded(r, func(p P) (any, error) { return fn(s, p) })
	}
}

// document names one.
type document struct {
	TextDocument struct {
		URI     string `json:"uri"`
		Version int32  `json:"version"`
		Text    string `json:"text"`
	} `json:"textDocument"`
}

// place is a place of a document.
type place struct {
	document
	Position lsp.Position `json:"position"`
}

type references struct {
	place
	Context struct {
		IncludeDeclaration bool `json:"includeDeclaration"`
	} `json:"context"`
}

type initialize struct {
	Capabilities struct {
		General struct {
			PositionEncodings []lsp.Encoding `json:"positionEncodings"`
		} `json:"general"`
	} `json:"capabilities"`
}

// initialize chooses how characters are counted and says what the server can do.
func (s *server) initialize(p initialize) (any, error) {
	s.state = running
	for _, e := range p.Capabilities.General.PositionEncodings {
		if e == lsp.UTF8 || e == lsp.UTF16 || e == lsp.UTF32 {
			s.work.Unit = e
			break
		}
	}
	return map[string]any{
		"capabilities": map[string]any{
			"positionEncoding":           s.work.Unit,
			"textDocumentSync":           map[string]any{"openClose": true, "change": 2, "save": map[string]any{}},
			"completionProvider":         map[string]any{"triggerCharacters": []string{".", `"`}},
			"hoverProvider":              true,
			"definitionProvider":         true,
			"referencesProvider":         true,
			"renameProvider":             true,
			"documentSymbolProvider":     true,
			"documentFormattingProvider": true,
		},
		"serverInfo": map[string]any{"name": "readership rubric lsp", "version": s.config.Version},
	}, nil
}

func (s *server) didOpen(p document) (any, error) {
	d := p.TextDocument
	s.work.Open(lsp.Document{URI: d.URI, Version: d.Version, Text: d.Text})
	s.changed()
	return nil, nil
}

func (s *server) didChange(p struct {
	document
	ContentChanges []lsp.Change `json:"contentChanges"`
}) (any, error) {
	if s.work.Change(p.TextDocument.URI, p.TextDocument.Version, p.ContentChanges) {
		s.changed()
	}
	return nil, nil
}

func (s *server) didClose(p document) (any, error) {
	s.work.Close(p.TextDocument.URI)
	s.changed()
	return nil, nil
}

func (s *server) completion(p place) any {
	items := s.work.Complete(p.TextDocument.URI, p.Position)
	if items == nil {
		items = []lsp.CompletionItem{}
	}
	return map[string]any{"isIncomplete": false, "items": items}
}

func (s *server) rename(p struct {
	place
	NewName string `json:"newName"`
}) (any, error) {
	edit, err := s.work.Rename(p.TextDocument.URI, p.Position, p.NewName)
	if err != nil {
		return nil, jsonrpc2.NewError(requestFailed, err.Error())
	}
	return edit, nil
}

// requestFailed is the protocol's code of a request that was fine and cannot be
// granted.
const requestFailed = jsonrpc2.Code(-32803)
