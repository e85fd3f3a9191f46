// Package web is the console: a web page for the people who do the work. Its
// source is in src, what is built of it in dist, which is embedded, so that
// building Baton takes no Node (see `make web`).
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// policy lets the page load its own files and speak with its own server, and
// nothing else: no inline script or style, no other host, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// file is one file of the console, as it is and compressed.
type file struct {
	plain, gzipped []byte // gzipped is nil where it would save nothing
	contentType    string
	etag           string
	cache          string
}

// Handler serves the console. Paths of pages answer with the page itself, which
// finds out by itself what to show; a file that is not there is 404.
func Handler() (http.Handler, error) {
	files := map[string]file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		address := strings.TrimPrefix(name, "dist")
		files[address], err = newFile(address, content)
		return err
	})
	if err != nil {
		return nil, err
	}
	page, ok := files["/index.html"]
	if !ok {
		return nil, errors.New("web: there is no dist/index.html; run 'make web'")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, found := files[path.Clean(r.URL.Path)]
		if !found && path.Ext(r.URL.Path) != "" {
			http.Error(w, "There is no such file.", http.StatusNotFound)
			return
		}
		if !found {
			f = page
		}
		f.serve(w, r)
	}), nil
}

func newFile(address string, content []byte) (file, error) {
	sum := sha256.Sum256(content)
	f := file{
		plain: content, contentType: mime.TypeByExtension(path.Ext(address)),
		etag: hex.EncodeToString(sum[:12]), cache: "no-cache",
	}
	if strings.HasPrefix(address, "/assets/") { // their names change with what is in them
		f.cache = "public, max-age=31536000, immutable"
	}
	// The types of Windows' registry or of /etc must not decide.
	switch path.Ext(address) {
	case ".html":
		f.contentType = "text/html; charset=utf-8"
	case ".js":
		f.contentType = "text/javascript; charset=utf-8"
	case ".css":
		f.contentType = "text/css; charset=utf-8"
	case ".svg":
		f.contentType = "image/svg+xml"
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return f, err
	}
	if _, err := z.Write(content); err != nil {
		return f, err
	}
	if err := z.Close(); err != nil {
		return f, fmt.Errorf("compressing %s: %w", address, err)
	}
	if b.Len() < len(content) {
		f.gzipped = b.Bytes()
	}
	return f, nil
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
	h.Add("Vary", "Accept-Encoding")
	body, etag := f.plain, f.etag
	if f.gzipped != nil && accepts(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body, etag = f.gzipped, f.etag+"-gzip"
	}
	etag = `"` + etag + `"`
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// accepts reports whether gzip is among the codings, unless it is ruled out.
func accepts(codings string) bool {
	for coding := range strings.SplitSeq(codings, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}
