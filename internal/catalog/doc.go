// Package catalog fills the catalogue from the site's own pages. What a browser
// says of a page is a hint to fetch it: Fetcher does, from the site's domains
// alone, and Page is what it finds there. Entries that people or the CMS have
// written are left alone.
package catalog
