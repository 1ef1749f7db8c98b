// Package credentials keeps what people and programs prove themselves with:
// Keys (API keys and write keys, looked up in memory) and Sessions of signed-in
// people, both over the application database. A change is in force when the
// call that made it returns.
package credentials
