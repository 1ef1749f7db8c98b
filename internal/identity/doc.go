// Package identity proves who a reader is and what a link allows: tokens of the
// publisher's own sign-in (Tokens), the server's signed devices (Devices) and
// its signed links (Links). It answers from memory; keys are fetched beside
// requests, never for one.
package identity
