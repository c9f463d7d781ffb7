-- Deletions of threads that were broken off, for the sweep that finishes them.
CREATE INDEX threads_deleting ON threads (updated) WHERE deleting;
