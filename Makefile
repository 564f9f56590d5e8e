# Makefile - entry points for building, testing and packaging smartpouch.
#
# Two kinds of targets live here:
#   * thin ones (demo, test, start, ...) only call a script in scripts/; they
#     work on a bare machine, because the scripts first install what is missing
#     and then call make again;
#   * the build itself (all, install, installcheck, ...) is plain PGXS and needs
#     the development files of a PostgreSQL server, found through PG_CONFIG.
#
# Settings: PG_CONFIG=...  WERROR=1 (warnings are errors)  OPTFLAGS=... (local
# tuning such as -march=native, never used for packages).

PG_CONFIG ?= pg_config
WERROR    ?= 0
OPTFLAGS  ?=

EXTENSION  = smartpouch
MODULE_big = smartpouch
# The control file is the one source of the version.  (PGXS owns the name VERSION.)
EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" smartpouch.control)

# ---------------------------------------------------------------- sources --
# One object per line, sorted within its folder.

BASE_OBJS = \
	src/base/sp_archive.o \
	src/base/sp_bytes.o \
	src/base/sp_city_hash.o \
	src/base/sp_gcra.o \
	src/base/sp_key_scope.o \
	src/base/sp_key_token.o \
	src/base/sp_mask.o \
	src/base/sp_server_minor.o \
	src/base/sp_simd.o \
	src/base/sp_status.o \
	src/base/sp_tokens.o \
	src/base/sp_tokens_json.o \
	src/base/sp_tokens_number.o \
	src/base/sp_tokens_ubjson.o \
	src/base/sp_wire.o

IR_OBJS = \
	src/ir/sp_builder.o \
	src/ir/sp_builder_branches.o \
	src/ir/sp_builder_categories.o \
	src/ir/sp_builder_features.o \
	src/ir/sp_builder_finish.o \
	src/ir/sp_builder_general.o \
	src/ir/sp_builder_missing.o \
	src/ir/sp_builder_trees.o \
	src/ir/sp_builder_weights.o \
	src/ir/sp_checksum.o \
	src/ir/sp_image.o \
	src/ir/sp_model.o \
	src/ir/sp_model_read.o \
	src/ir/sp_model_read_items.o \
	src/ir/sp_model_read_trees.o \
	src/ir/sp_model_write.o \
	src/ir/sp_pack.o \
	src/ir/sp_pack_features.o \
	src/ir/sp_pack_fold.o \
	src/ir/sp_pack_panels.o \
	src/ir/sp_pack_sets.o \
	src/ir/sp_pack_slices.o \
	src/ir/sp_pack_split.o \
	src/ir/sp_pack_tiles.o \
	src/ir/sp_pack_trees.o \
	src/ir/sp_pack_trees_fill.o \
	src/ir/sp_row_cost.o

IMPORT_OBJS = \
	src/import/sp_catboost_facts.o \
	src/import/sp_catboost_features.o \
	src/import/sp_catboost_nested.o \
	src/import/sp_class_labels.o \
	src/import/sp_import.o \
	src/import/sp_import_catboost.o \
	src/import/sp_import_lightgbm.o \
	src/import/sp_import_onnx.o \
	src/import/sp_import_xgboost.o \
	src/import/sp_lightgbm_columns.o \
	src/import/sp_lightgbm_objective.o \
	src/import/sp_lightgbm_text.o \
	src/import/sp_lightgbm_trees.o \
	src/import/sp_members.o \
	src/import/sp_onnx.pb-c.o \
	src/import/sp_onnx_broadcast.o \
	src/import/sp_onnx_compose.o \
	src/import/sp_onnx_dense.o \
	src/import/sp_onnx_distances.o \
	src/import/sp_onnx_encode.o \
	src/import/sp_onnx_ensemble.o \
	src/import/sp_onnx_ensemble_build.o \
	src/import/sp_onnx_ensemble_flat.o \
	src/import/sp_onnx_extents.o \
	src/import/sp_onnx_graph.o \
	src/import/sp_onnx_linear.o \
	src/import/sp_onnx_maps.o \
	src/import/sp_onnx_math.o \
	src/import/sp_onnx_nodes.o \
	src/import/sp_onnx_norms.o \
	src/import/sp_onnx_pad.o \
	src/import/sp_onnx_prepare.o \
	src/import/sp_onnx_questions.o \
	src/import/sp_onnx_recurrent.o \
	src/import/sp_onnx_reshape.o \
	src/import/sp_onnx_results.o \
	src/import/sp_onnx_scan.o \
	src/import/sp_onnx_scores.o \
	src/import/sp_onnx_shapes.o \
	src/import/sp_onnx_svm.o \
	src/import/sp_onnx_tensor.o \
	src/import/sp_onnx_trees.o \
	src/import/sp_onnx_unpack.o \
	src/import/sp_onnx_values.o \
	src/import/sp_onnx_window.o \
	src/import/sp_sort.o \
	src/import/sp_tree_reach.o \
	src/import/sp_xgboost_booster.o \
	src/import/sp_xgboost_categories.o \
	src/import/sp_xgboost_columns.o \
	src/import/sp_xgboost_facts.o \
	src/import/sp_xgboost_objective.o \
	src/import/sp_xgboost_trees.o

KERNEL_OBJS = \
	src/kernel/sp_eval.o \
	src/kernel/sp_kernel_gather_avx512.o \
	src/kernel/sp_kernel_general.o \
	src/kernel/sp_kernel_group.o \
	src/kernel/sp_kernel_post.o \
	src/kernel/sp_kernel_scale.o \
	src/kernel/sp_kernel_slices.o \
	src/kernel/sp_kernel_slices_avx2.o \
	src/kernel/sp_kernel_slices_avx512.o \
	src/kernel/sp_kernel_slices_portable.o \
	src/kernel/sp_kernel_tiles.o \
	src/kernel/sp_kernel_tiles_avx2.o \
	src/kernel/sp_kernel_tiles_avx512.o \
	src/kernel/sp_kernel_tiles_portable.o \
	src/kernel/sp_kernel_tree.o \
	src/kernel/sp_kernel_vectors.o \
	src/kernel/sp_kernel_window.o

SERVER_OBJS = \
	src/server/sp_background_statement.o \
	src/server/sp_cancel.o \
	src/server/sp_canonical.o \
	src/server/sp_child_process.o \
	src/server/sp_drift_counts.o \
	src/server/sp_error.o \
	src/server/sp_guc.o \
	src/server/sp_hash.o \
	src/server/sp_jsonb.o \
	src/server/sp_key_file.o \
	src/server/sp_lock.o \
	src/server/sp_memory.o \
	src/server/sp_metrics.o \
	src/server/sp_role.o \
	src/server/sp_series.o \
	src/server/sp_shared_area.o \
	src/server/sp_snapshot.o \
	src/server/sp_standby.o \
	src/server/sp_subtransaction.o \
	src/server/sp_worker_counts.o

REGISTRY_OBJS = \
	src/registry/sp_reference.o \
	src/registry/sp_registry_api_key.o \
	src/registry/sp_registry_baseline.o \
	src/registry/sp_registry_blob.o \
	src/registry/sp_registry_cluster.o \
	src/registry/sp_registry_digest.o \
	src/registry/sp_registry_drop.o \
	src/registry/sp_registry_evaluation.o \
	src/registry/sp_registry_expire.o \
	src/registry/sp_registry_gate.o \
	src/registry/sp_registry_golden.o \
	src/registry/sp_registry_grants.o \
	src/registry/sp_registry_history.o \
	src/registry/sp_registry_history_read.o \
	src/registry/sp_registry_hold.o \
	src/registry/sp_registry_read.o \
	src/registry/sp_registry_routing.o \
	src/registry/sp_registry_scan.o \
	src/registry/sp_registry_snapshot.o \
	src/registry/sp_registry_stage.o \
	src/registry/sp_registry_subscription.o \
	src/registry/sp_registry_tables.o \
	src/registry/sp_registry_upload.o \
	src/registry/sp_registry_write.o

CACHE_OBJS = \
	src/cache/sp_model_cache.o \
	src/cache/sp_resolve.o \
	src/cache/sp_shadow_counts.o \
	src/cache/sp_shared_cache.o \
	src/cache/sp_shared_facts.o \
	src/cache/sp_shared_fill.o \
	src/cache/sp_shared_memory.o \
	src/cache/sp_shared_sweep.o

AUTH_OBJS = \
	src/auth/sp_audit.o \
	src/auth/sp_audit_flush.o \
	src/auth/sp_audit_refusal.o \
	src/auth/sp_audit_ring.o \
	src/auth/sp_key_identity.o \
	src/auth/sp_key_permission.o \
	src/auth/sp_key_pepper.o \
	src/auth/sp_key_verify.o \
	src/auth/sp_key_write.o \
	src/auth/sp_limit.o \
	src/auth/sp_limit_counts.o \
	src/auth/sp_limit_flush.o \
	src/auth/sp_limit_rules.o \
	src/auth/sp_log_mask.o \
	src/auth/sp_permission.o

OPS_OBJS = \
	src/ops/sp_backup_artefacts.o \
	src/ops/sp_backup_expire.o \
	src/ops/sp_backup_file.o \
	src/ops/sp_backup_folder.o \
	src/ops/sp_backup_manifest.o \
	src/ops/sp_backup_marks.o \
	src/ops/sp_backup_program.o \
	src/ops/sp_backup_progress.o \
	src/ops/sp_backup_proof.o \
	src/ops/sp_backup_rescan.o \
	src/ops/sp_backup_restore.o \
	src/ops/sp_backup_run.o \
	src/ops/sp_backup_scratch.o \
	src/ops/sp_backup_sql.o \
	src/ops/sp_backup_status.o \
	src/ops/sp_backup_verify.o \
	src/ops/sp_health.o \
	src/ops/sp_health_backup.o \
	src/ops/sp_health_keys.o \
	src/ops/sp_health_log.o \
	src/ops/sp_health_models.o \
	src/ops/sp_health_server.o \
	src/ops/sp_restore_guard.o \
	src/ops/sp_score_errors.o \
	src/ops/sp_score_labels.o \
	src/ops/sp_score_ranking.o \
	src/ops/sp_snapshot_file.o \
	src/ops/sp_worker.o

API_OBJS = \
	src/api/sp_api_audit.o \
	src/api/sp_api_backup.o \
	src/api/sp_api_cache.o \
	src/api/sp_api_counts.o \
	src/api/sp_api_drift.o \
	src/api/sp_api_evaluate.o \
	src/api/sp_api_gate.o \
	src/api/sp_api_golden.o \
	src/api/sp_api_health.o \
	src/api/sp_api_history.o \
	src/api/sp_api_import.o \
	src/api/sp_api_metrics.o \
	src/api/sp_api_infer.o \
	src/api/sp_api_key.o \
	src/api/sp_api_key_life.o \
	src/api/sp_api_limit.o \
	src/api/sp_api_model.o \
	src/api/sp_api_operation.o \
	src/api/sp_api_permission.o \
	src/api/sp_api_plan.o \
	src/api/sp_api_predict.o \
	src/api/sp_api_predict_batch.o \
	src/api/sp_api_predict_json.o \
	src/api/sp_api_routing.o \
	src/api/sp_api_row_set.o \
	src/api/sp_api_score.o \
	src/api/sp_api_snapshot.o \
	src/api/sp_api_trigger.o \
	src/api/sp_arguments.o \
	src/api/sp_baseline.o \
	src/api/sp_call_count.o \
	src/api/sp_call_site.o \
	src/api/sp_drift.o \
	src/api/sp_evaluate.o \
	src/api/sp_features.o \
	src/api/sp_features_row.o \
	src/api/sp_features_store.o \
	src/api/sp_gate.o \
	src/api/sp_golden.o \
	src/api/sp_import_options.o \
	src/api/sp_model_ref.o \
	src/api/sp_label_text.o \
	src/api/sp_new_version.o \
	src/api/sp_query_rows.o \
	src/api/sp_result.o \
	src/api/sp_routing.o \
	src/api/sp_score_json.o \
	src/api/sp_shadow.o \
	src/api/sp_slot_row.o \
	src/api/sp_snapshot_version.o

SCAN_OBJS = \
	src/scan/sp_scan_exec.o \
	src/scan/sp_scan_hazard.o \
	src/scan/sp_scan_hazard_plan.o \
	src/scan/sp_scan_hooks.o \
	src/scan/sp_scan_in_place.o \
	src/scan/sp_scan_rewrite.o \
	src/scan/sp_scan_show.o \
	src/scan/sp_scan_source.o \
	src/scan/sp_scan_split.o \
	src/scan/sp_scan_unpack.o

# Pure C: no server header; also linked into unit tests and benchmarks.
PURE_OBJS = $(BASE_OBJS) $(IR_OBJS) $(IMPORT_OBJS) $(KERNEL_OBJS)

OBJS = $(PURE_OBJS) $(SERVER_OBJS) $(REGISTRY_OBJS) $(CACHE_OBJS) \
	$(AUTH_OBJS) $(OPS_OBJS) $(API_OBJS) $(SCAN_OBJS) src/sp_module.o

GENERATED_C = src/import/sp_onnx.pb-c.c
GENERATED_H = src/import/sp_onnx.pb-c.h

# A changed header rebuilds everything: PGXS' own tracking is off in most
# packaged servers, and a full build takes seconds.
ALL_HEADERS := $(sort $(shell find src -name '*.h' 2>/dev/null) $(GENERATED_H))

# ------------------------------------------------------------- SQL script --
# Fragments of the install script in the order in which they are concatenated.

INSTALL_SQL = \
	sql/install/00_schema.sql \
	sql/install/10_tables.sql \
	sql/install/20_triggers.sql \
	sql/install/22_cluster.sql \
	sql/install/30_models.sql \
	sql/install/32_history.sql \
	sql/install/33_retention.sql \
	sql/install/34_routing.sql \
	sql/install/35_golden.sql \
	sql/install/36_scores.sql \
	sql/install/37_evaluations.sql \
	sql/install/38_snapshots.sql \
	sql/install/39_gates.sql \
	sql/install/40_predict.sql \
	sql/install/41_limits.sql \
	sql/install/42_api_keys.sql \
	sql/install/44_audit.sql \
	sql/install/46_metrics.sql \
	sql/install/47_health.sql \
	sql/install/48_rollups.sql \
	sql/install/49_jobs.sql \
	sql/install/49_job_checks.sql \
	sql/install/50_operation.sql \
	sql/install/52_backups.sql \
	sql/install/53_backup_checks.sql \
	sql/install/55_cache.sql \
	sql/install/56_drift.sql \
	sql/install/57_report_facts.sql \
	sql/install/58_report.sql \
	sql/install/59_report_html.sql \
	sql/install/60_replicas.sql \
	sql/install/70_permissions.sql \
	sql/install/80_views.sql \
	sql/install/81_routing_views.sql \
	sql/install/82_api_key_views.sql \
	sql/install/82_metrics_views.sql \
	sql/install/83_drift_views.sql \
	sql/install/83_prometheus.sql \
	sql/install/83_rollup_views.sql \
	sql/install/84_access_objects.sql \
	sql/install/85_access.sql \
	sql/install/90_grants.sql

INSTALL_SCRIPT_SQL = sql/smartpouch--$(EXTVERSION).sql
# Released install scripts stay as they were; updates lead from each to the next.
# The update to a version not yet released includes fragments of the install script.
UPDATE_SCRIPTS_SQL = $(patsubst sql/updates/%.in,sql/%,$(wildcard sql/updates/*.sql.in))
DATA_built = $(INSTALL_SCRIPT_SQL) $(UPDATE_SCRIPTS_SQL)
SCRIPTS    = scripts/smartpouch-restore
DATA       = $(wildcard sql/released/smartpouch--*.sql sql/updates/smartpouch--*--*.sql)

# ------------------------------------------------------------------ tests --
# pg_regress: sql/NAME.sql against expected/NAME.out, in this order.  They run
# on any server that has the extension installed (make installcheck).
REGRESS = smoke import predict registry golden plan batch batch_session
# As above, but only under test/smartpouch.conf (scripts/test regress).
REGRESS_PRIVATE =
# test/isolation/specs/NAME.spec against test/isolation/expected/NAME.out
ISOLATION = batch canary drop grants import promote rename slot_row stages
ISOLATION_OPTS = --inputdir=test/isolation --encoding=UTF8 --no-locale
# whatever the template database of the server is in
REGRESS_OPTS = --encoding=UTF8 --no-locale

# Fuzz targets: test/fuzz/fuzz_NAME.c (test/fuzz/run)
FUZZ_TARGETS = xgboost_json xgboost_ubj lightgbm catboost_json onnx predict stored key
FUZZ_PARTS  := $(filter-out test/fuzz/fuzz_%,$(sort $(wildcard test/fuzz/*.c)))

UNIT_PROGRAMS  := $(patsubst test/unit/%.c,build/unit/%,$(sort $(wildcard test/unit/test_*.c)))
BENCH_PROGRAMS := $(patsubst bench/%.c,build/bench/%,$(sort $(wildcard bench/bench_*.c)))

# ------------------------------------------------------------------ flags --
# The server may have been configured for gcc; clang need not know all its flags.
CLANG_QUIET = -Wno-pass-failed -Wno-unknown-warning-option -Wno-ignored-optimization-argument
WARNINGS = -Wall -Wextra -Wno-declaration-after-statement \
	$(if $(findstring clang,$(CC)),$(CLANG_QUIET)) \
	$(if $(filter 1,$(WERROR)),-Werror)

# Fused multiply-add would round once instead of twice, so the last digits of a
# prediction would depend on the machine that the extension was compiled for.
FPFLAGS = -ffp-contract=off

# Sums of dense layers promise equal bits at one level of instructions only, and
# these levels always have fused multiply-add.
FUSED_OBJS = src/kernel/sp_kernel_tiles_avx2.o src/kernel/sp_kernel_tiles_avx512.o

PURE_CFLAGS  = -std=gnu11 -g $(WARNINGS) $(FPFLAGS) -Isrc
UNIT_CFLAGS  = $(PURE_CFLAGS) -O1 -fno-omit-frame-pointer -Itest/unit \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS  = $(PURE_CFLAGS) $(CLANG_QUIET) -O1 -fno-omit-frame-pointer -Itest/fuzz -Itest/unit \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
BENCH_CFLAGS = $(PURE_CFLAGS) -O2 -DNDEBUG $(OPTFLAGS)
PURE_LIBS    = -lprotobuf-c -lm

# FPFLAGS go in by PG_CPPFLAGS because the bitcode rules see nothing else.
# -isystem keeps warnings of the server's own headers away.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) \
	-DSP_VERSION='"$(EXTVERSION)"' $(FPFLAGS)
PG_CFLAGS   = -std=gnu11 $(WARNINGS) -fvisibility=hidden $(OPTFLAGS)
SHLIB_LINK  = -lprotobuf-c -lm

EXTRA_CLEAN = $(GENERATED_C) $(GENERATED_H)

# ---------------------------------------------------------------- targets --
.PHONY: parity property security all install installcheck uninstall clean help demo test psql start stop status \
	unit regress isolation pgtap tap bench row-cost lint dist matrix clean-private unit-programs \
	fuzz fuzz-programs

all: ## build the extension (plain PGXS)

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: ## install what is missing, build, start a private server, run the demonstration
	@scripts/demo

start: ## build and start the private server (kept under build/)
	@scripts/cluster start

stop: ## stop the private server
	@scripts/cluster stop

status: ## say whether the private server runs
	@scripts/cluster status

psql: ## open psql on the private server
	@scripts/cluster psql

test: ## run all tests on private servers and print one summary
	@scripts/test

unit regress isolation pgtap tap:
	@scripts/test $@

# The line above, described one by one for "make help".
unit: ## run the unit tests (pure C under sanitizers)
regress: ## run the pg_regress tests
isolation: ## run the isolation tests
pgtap: ## run the pgTAP tests
tap: ## run the TAP tests (restart, crash, replica, upgrade)

lint: ## check the source against the project's rules
	@scripts/lint/run

fuzz: ## fuzz the readers of files: SECONDS=n for each target, TARGET=name, FUZZ_JOBS=n at once
	@FUZZ_SECONDS=$(SECONDS) test/fuzz/run $(TARGET)

security: ## measure keys: distribution of a million, timing of a million calls
	@test/security/run

matrix: ## run the tests on PostgreSQL 17 and 18 as well (root, debootstrap)
	@test/matrix

dist: ## make the PGXN archive smartpouch-VERSION.zip from the last commit
	git archive --format=zip --prefix=smartpouch-$(EXTVERSION)/ -o smartpouch-$(EXTVERSION).zip HEAD

clean-private:
	@scripts/cluster destroy
	rm -rf build

# --------------------------------------------------- generated and pure C --
# Declared before PGXS; usable without a server's development files.

%.pb-c.c %.pb-c.h: %.proto
	@if command -v protoc >/dev/null 2>&1 && command -v protoc-gen-c >/dev/null 2>&1; \
	then set -x; protoc --proto_path=$(<D) --c_out=$(<D) $<; \
	else set -x; protoc-c --proto_path=$(<D) --c_out=$(<D) $<; fi
.PRECIOUS: %.pb-c.c %.pb-c.h

# Every fragment in the folder must be listed, so that none is forgotten.
$(INSTALL_SCRIPT_SQL): $(INSTALL_SQL) $(wildcard sql/install/*.sql) Makefile smartpouch.control
	@unlisted='$(filter-out $(INSTALL_SQL),$(wildcard sql/install/*.sql))'; \
	if [ -n "$$unlisted" ]; then \
	  echo "not listed in INSTALL_SQL of the Makefile: $$unlisted" >&2; exit 1; fi
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION smartpouch" to load this file. \quit'; \
	  for f in $(INSTALL_SQL); do printf '\n-- %s\n\n' "$$f"; cat "$$f" || exit 1; done; \
	} > $@.tmp
	@mv $@.tmp $@
	@echo "wrote $@"

$(UPDATE_SCRIPTS_SQL): sql/%: sql/updates/%.in $(INSTALL_SQL) scripts/expand-update
	@scripts/expand-update $< > $@.tmp
	@mv $@.tmp $@
	@echo "wrote $@"

UNIT_OBJS  = $(addprefix build/unit/,$(PURE_OBJS))
BENCH_OBJS = $(addprefix build/bench/,$(PURE_OBJS))

unit-programs: $(UNIT_PROGRAMS)

$(UNIT_PROGRAMS): build/unit/%: test/unit/%.c $(UNIT_OBJS) $(ALL_HEADERS) $(wildcard test/unit/*.h)
	$(CC) $(UNIT_CFLAGS) -o $@ $< $(UNIT_OBJS) $(PURE_LIBS)

$(UNIT_OBJS): build/unit/%.o: %.c $(ALL_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c -o $@ $<

FUZZ_CC       = clang
FUZZ_OBJS     = $(addprefix build/fuzz/,$(PURE_OBJS) $(FUZZ_PARTS:.c=.o))
FUZZ_PROGRAMS = $(addprefix build/fuzz/fuzz_,$(FUZZ_TARGETS))

fuzz-programs: $(FUZZ_PROGRAMS)

$(FUZZ_PROGRAMS): build/fuzz/%: build/fuzz/test/fuzz/%.o $(FUZZ_OBJS)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $< $(FUZZ_OBJS) $(PURE_LIBS)

build/fuzz/%.o: %.c $(ALL_HEADERS) $(wildcard test/fuzz/*.h test/unit/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<
.SECONDARY: $(addprefix build/fuzz/test/fuzz/fuzz_,$(addsuffix .o,$(FUZZ_TARGETS)))

parity: ## train models with the source libraries and compare all answers (needs Python with venv)
	@test/parity/run

property: build/bench/test_kernels ## compare all kernels with each other over 10 million rows
	$< 10000000

build/bench/test_kernels: test/unit/test_kernels.c $(BENCH_OBJS) $(ALL_HEADERS) $(wildcard test/unit/*.h)
	$(CC) $(BENCH_CFLAGS) -Itest/unit -o $@ $< $(BENCH_OBJS) $(PURE_LIBS)

bench: ## time kernels and SQL beside the libraries that made the models, and backups (needs Python with venv)
	@bench/run
	@bench/sql
	@bench/parallel
	@bench/backup
	@echo
	@bench/bars.py build/bench/bench.json build/bench/sql.json build/bench/parallel.json

row-cost: build/bench/bench_row_cost ## compare the estimated costs of models with measured times
	@$< $(wildcard test/data/*/model.* build/bench/m*.json build/bench/m*.onnx)

$(BENCH_PROGRAMS): build/bench/%: bench/%.c $(BENCH_OBJS) $(ALL_HEADERS) $(wildcard bench/*.h)
	$(CC) $(BENCH_CFLAGS) -Ibench -Itest/unit -o $@ $< $(BENCH_OBJS) $(PURE_LIBS)

$(BENCH_OBJS): build/bench/%.o: %.c $(ALL_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -c -o $@ $<

# Generated code is not held to our warnings; kernels get the vectorizer.
build/unit/src/import/sp_onnx.pb-c.o:  UNIT_CFLAGS  += -w
build/bench/src/import/sp_onnx.pb-c.o: BENCH_CFLAGS += -w
build/fuzz/src/import/sp_onnx.pb-c.o:  FUZZ_CFLAGS  += -w
# Their loops take clang minutes with all checks; the unit tests have them checked by gcc.
$(filter build/fuzz/src/kernel/sp_kernel_slices%,$(FUZZ_OBJS)): FUZZ_CFLAGS += -fno-sanitize=undefined
$(addprefix build/bench/,$(KERNEL_OBJS)): BENCH_CFLAGS += -O3
$(addprefix build/unit/,$(FUSED_OBJS)):   UNIT_CFLAGS  += -ffp-contract=fast
$(addprefix build/bench/,$(FUSED_OBJS)):  BENCH_CFLAGS += -ffp-contract=fast

# ------------------------------------------------------------------- PGXS --
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
SERVER_HEADER := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h
ifeq (2,$(words $(wildcard $(PGXS) $(SERVER_HEADER))))

clean: clean-private ## remove everything that was built; stops the private server
install: ## install into the server that PG_CONFIG names (needs its permissions)
installcheck: ## run the SQL tests against your own running server

include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): $(ALL_HEADERS) Makefile smartpouch.control
src/import/sp_onnx.pb-c.o src/import/sp_onnx.pb-c.bc: $(GENERATED_C)

# += reaches PGXS' own variables only with override.
src/import/sp_onnx.pb-c.o src/import/sp_onnx.pb-c.bc: override CPPFLAGS += -w
$(KERNEL_OBJS): override CFLAGS += -O3
$(FUSED_OBJS) $(FUSED_OBJS:.o=.bc): override CPPFLAGS += -ffp-contract=fast

# PostgreSQL 15 does not mark SQL-callable functions as exported, so the two
# places that define such symbols keep default visibility and the linker's
# export list cuts everything else.
$(API_OBJS) src/server/sp_background_statement.o src/sp_module.o: override CFLAGS += -fvisibility=default
ifeq ($(PORTNAME),linux)
SHLIB_LINK += -Wl,--version-script=src/smartpouch.map
$(MODULE_big)$(DLSUFFIX): src/smartpouch.map
endif

else

all install installcheck uninstall:
	@echo "No PostgreSQL development files found (PG_CONFIG = $(PG_CONFIG))." >&2
	@echo "Install them with: scripts/deps   or name a server: make PG_CONFIG=/path/to/pg_config" >&2
	@exit 1

clean: clean-private
	rm -f $(OBJS) $(OBJS:.o=.bc) $(MODULE_big).so $(DATA_built) $(EXTRA_CLEAN)

endif

# Lets scripts read a variable: make -s print-REGRESS
print-%:
	@echo '$($*)'
