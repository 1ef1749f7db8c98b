package main

import (
	"context"
	"io"

	"github.com/readership/readership/internal/rubric/lsp/langserver"
	"github.com/readership/readership/internal/rubric/schema"
)

const lspAbout = `A language server for Rubric over standard input and output, for editors.

  readership rubric lsp
  readership rubric lsp --server http://127.0.0.1:8080 --site news

With --site it also completes what that site has seen: properties, sections,
device classes and the like. Editors: docs/rubric/tools.md.

Environment:
  READERSHIP_API_KEY   with --site: a key with program:read, and query:read for
                       values`

// rubricLanguageServer serves one editor.
func rubricLanguageServer(ctx context.Context, c console, args []string) error {
	var site siteFlags
	var overStdio bool
	f := newFlags(c, "rubric lsp", "[--server URL --site SITE]", lspAbout)
	site.add(f)
	f.BoolVar(&overStdio, "stdio", true, "speak over standard input and output, the only way there is; some editors say so")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected %q: documents come from the editor", rest[0])
	}
	live, err := site.live()
	if err != nil {
		return err
	}
	config := langserver.Config{Files: langserver.Disk{}, Version: programVersion(), Schema: schema.Default()}
	if !live {
		if config.Schema, err = site.written(); err != nil {
			return err
		}
		return langserver.Run(ctx, stdioOf(c), config)
	}
	server, err := site.connect(c)
	if err != nil {
		return err
	}
	defer server.Close()
	config.Live = func(ctx context.Context) (*schema.Schema, map[string][]string, error) {
		return liveSchema(ctx, server, site.site)
	}
	return langserver.Run(ctx, stdioOf(c), config)
}

// stdio is standard input and output as one stream.
type stdio struct {
	io.Reader
	io.Writer
	close func() error
}

// Close implements io.Closer.
func (s stdio) Close() error { return s.close() }

func stdioOf(c console) stdio {
	close := func() error { return nil }
	if in, ok := c.in.(io.Closer); ok {
		close = in.Close
	}
	return stdio{c.in, c.out, close}
}
