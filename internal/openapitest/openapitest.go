// Package openapitest holds answers of a server beside their description,
// docs/api/openapi.json, for tests.
package openapitest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Description is an OpenAPI description.
type Description struct {
	mu       sync.Mutex // over compiler
	compiler *jsonschema.Compiler
	paths    map[string]any
	mux      *http.ServeMux // finds the path of a request
}

const resource = "file:///openapi.json"

// Load reads a description in OpenAPI 3.1, whose schemas are JSON schemas.
func Load(file string) (*Description, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d := &Description{compiler: jsonschema.NewCompiler(), mux: http.NewServeMux()}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, parsed); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	document, _ := parsed.(map[string]any)
	if d.paths, _ = document["paths"].(map[string]any); d.paths == nil {
		return nil, fmt.Errorf("%s has no paths", file)
	}
	for path := range d.paths {
		d.mux.Handle(path, http.NotFoundHandler())
	}
	return d, nil
}

// Operations lists the ids of all operations.
func (d *Description) Operations() []string {
	var ids []string
	for _, item := range d.paths {
		for _, operation := range item.(map[string]any) {
			ids = append(ids, operation.(map[string]any)["operationId"].(string))
		}
	}
	slices.Sort(ids)
	return ids
}

// Check returns the id of the operation that a request asks for, and how its
// answer differs from what is said of it: a status, a media type or a member
// that is not described, or a value of another shape. The id is empty where
// nothing is described.
func (d *Description) Check(r *http.Request, status int, header http.Header, body []byte) (operation string, err error) {
	_, path := d.mux.Handler(r)
	item, _ := d.paths[path].(map[string]any)
	described, _ := item[strings.ToLower(r.Method)].(map[string]any)
	if described == nil {
		return "", nil
	}
	operation = described["operationId"].(string)
	code := strconv.Itoa(status)
	responses := described["responses"].(map[string]any)
	if responses[code] == nil {
		code = "default"
	}
	response, _ := responses[code].(map[string]any)
	if response == nil {
		return operation, fmt.Errorf("%s answers %d, which is not described", operation, status)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			return operation, fmt.Errorf("%s answers %d with a body, which is not described: %.200s", operation, status, body)
		}
		return operation, nil
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || content[media] == nil {
		return operation, fmt.Errorf("%s answers %d as %q, which is not described", operation, status, header.Get("Content-Type"))
	}
	if media != "application/json" && media != "application/problem+json" {
		return operation, nil
	}
	d.mu.Lock()
	schema, err := d.compiler.Compile(resource + "#" + pointer("paths", path, strings.ToLower(r.Method), "responses", code, "content", media, "schema"))
	d.mu.Unlock()
	if err != nil {
		return operation, fmt.Errorf("%s %s: %w", operation, code, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return operation, fmt.Errorf("%s answers %d with what is no JSON: %w", operation, status, err)
	}
	if err := schema.Validate(value); err != nil {
		return operation, fmt.Errorf("%s answers %d with %.500s: %w", operation, status, body, err)
	}
	return operation, nil
}

// pointer is a JSON pointer as the fragment of a URL.
func pointer(tokens ...string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(t)))
	}
	return b.String()
}
