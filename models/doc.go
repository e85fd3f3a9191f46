// Package models is Baton's domain: the words of the handoff, their values and
// their errors. The structs are also the rows that gorm reads and writes, so
// a field is a column. Nothing of ours is imported here, and no framework is.
package models
