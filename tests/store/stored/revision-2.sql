BEGIN TRANSACTION;
CREATE TABLE app_statuses (
	id INTEGER NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	build_id VARCHAR(36) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	message TEXT NOT NULL, 
	uri TEXT DEFAULT '' NOT NULL, 
	source VARCHAR(12) NOT NULL, 
	since VARCHAR(32) NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE applies (
	id VARCHAR(36) NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	target TEXT NOT NULL, 
	data TEXT NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	updated_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE build_logs (
	id INTEGER NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	build_id VARCHAR(36) NOT NULL, 
	stage VARCHAR(12) NOT NULL, 
	level VARCHAR(8) NOT NULL, 
	text TEXT NOT NULL, 
	time VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE builds (
	id VARCHAR(36) NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	transition VARCHAR(8) NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	status VARCHAR(12) NOT NULL, 
	stage VARCHAR(12) DEFAULT '' NOT NULL, 
	error TEXT, 
	"plan" TEXT, 
	runtime TEXT, 
	lock_token VARCHAR(36), 
	created_at VARCHAR(32) NOT NULL, 
	started_at VARCHAR(32), 
	finished_at VARCHAR(32), 
	PRIMARY KEY (id), 
	CONSTRAINT builds_number UNIQUE (task_id, number), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
INSERT INTO "builds" VALUES('b','task',1,'start','initiator','succeeded','',NULL,NULL,'{"lifecycle":null,"connected":false,"apps":{},"isolation":null,"isolation_reason":"","reason":null,"agent_exited":false,"changed_files":null,"watched":0,"boot_id":""}',NULL,'2025-07-01T12:00:00.000000Z',NULL,NULL);
CREATE TABLE conversations (
	task_id VARCHAR(36) NOT NULL, 
	build_id VARCHAR(36) NOT NULL, 
	prompt_sent BOOLEAN NOT NULL, 
	attention TEXT, 
	checkpoint TEXT, 
	PRIMARY KEY (task_id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	type VARCHAR(16) NOT NULL, 
	task_id VARCHAR(36), 
	time VARCHAR(32) NOT NULL, 
	data TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,'task','task','2025-07-01T12:00:00.000000Z','{"id":"task"}');
CREATE TABLE inputs (
	id INTEGER NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	delivered_at VARCHAR(32), 
	error TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT inputs_key UNIQUE (task_id, "key"), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE llm_calls (
	id VARCHAR(36) NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	build_id VARCHAR(36) NOT NULL, 
	time VARCHAR(32) NOT NULL, 
	provider VARCHAR(32) NOT NULL, 
	model TEXT NOT NULL, 
	status INTEGER NOT NULL, 
	input INTEGER NOT NULL, 
	output INTEGER NOT NULL, 
	cache_read INTEGER NOT NULL, 
	cache_write INTEGER NOT NULL, 
	cost BIGINT, 
	milliseconds INTEGER NOT NULL, 
	problem TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE log_snapshots (
	task_id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	text TEXT NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (task_id, name), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE messages (
	task_id VARCHAR(36) NOT NULL, 
	id INTEGER NOT NULL, 
	role VARCHAR(8) NOT NULL, 
	time VARCHAR(32) NOT NULL, 
	parts TEXT NOT NULL, 
	PRIMARY KEY (task_id, id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
INSERT INTO "messages" VALUES('task',0,'user','2025-07-01T12:00:00.000000Z','[{"type":"text","text":"do"}]');
CREATE TABLE schema_version (
	revision INTEGER NOT NULL, 
	app_version VARCHAR(32) NOT NULL, 
	PRIMARY KEY (revision)
);
INSERT INTO "schema_version" VALUES(2,'0.1.0');
CREATE TABLE tasks (
	id VARCHAR(36) NOT NULL, 
	owner_id VARCHAR(36) NOT NULL, 
	owner_name TEXT NOT NULL, 
	name VARCHAR(32) NOT NULL, 
	display_name TEXT NOT NULL, 
	template_id VARCHAR(36) NOT NULL, 
	template_version_id VARCHAR(36) NOT NULL, 
	template_name TEXT NOT NULL, 
	template_display_name TEXT NOT NULL, 
	template_icon TEXT DEFAULT '' NOT NULL, 
	workspace_id VARCHAR(36) NOT NULL, 
	prompt TEXT NOT NULL, 
	parameters TEXT NOT NULL, 
	preset TEXT, 
	asker TEXT NOT NULL, 
	idempotency_key TEXT, 
	created_at VARCHAR(32) NOT NULL, 
	updated_at VARCHAR(32) NOT NULL, 
	deleted_at VARCHAR(32), 
	project TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT tasks_idempotency UNIQUE (owner_id, idempotency_key), 
	UNIQUE (workspace_id)
);
INSERT INTO "tasks" VALUES('task','ann-id','ann','Task-1','Task 1','t','v','quickstart','Quickstart','','w','do','{"a":"b"}',NULL,'{"python_env":null,"path":"/bin","directory":null}','k','2025-07-01T12:00:00.000000Z','2025-07-01T12:00:00.000000Z',NULL,NULL);
CREATE TABLE usage_daily (
	day VARCHAR(10) NOT NULL, 
	event_type VARCHAR(32) NOT NULL, 
	amount INTEGER NOT NULL, 
	PRIMARY KEY (day, event_type)
);
INSERT INTO "usage_daily" VALUES('2025-07-01','dc_managed_agents_v1',1);
CREATE TABLE usage_events (
	id TEXT NOT NULL, 
	event_type VARCHAR(32) NOT NULL, 
	event_data TEXT NOT NULL, 
	task_id VARCHAR(36), 
	created_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "usage_events" VALUES('b','dc_managed_agents_v1','{"count":1}','task','2025-07-01T12:00:00.000000Z');
CREATE UNIQUE INDEX tasks_name ON tasks (owner_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX events_task ON events (task_id, id);
CREATE INDEX builds_status ON builds (status);
CREATE INDEX app_statuses_task ON app_statuses (task_id, id);
CREATE INDEX build_logs_task ON build_logs (task_id, id);
CREATE INDEX llm_calls_task ON llm_calls (task_id);
CREATE INDEX llm_calls_time ON llm_calls (time);
CREATE INDEX applies_task ON applies (task_id, created_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',1);
COMMIT;
