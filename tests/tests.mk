# Tests, fuzzers and benchmarks; included by the Makefile. One program for each suite.

T := $(B)/tests
UNIT    := $(T)/unit-config $(T)/unit-store $(T)/unit-tape $(if $(HAS_FLEET),$(T)/unit-fleet)
E2E     := $(T)/e2e
MOCK    := $(T)/mock-llm
# Subject programs. What needs the GnuTLS flavour is built where that library is (it need not have its -dev package).
CURL_GNUTLS := $(wildcard $(shell $(CC) -print-file-name=libcurl-gnutls.so.4))
FLAVOURS := openssl $(if $(CURL_GNUTLS),gnutls)
CLIENT  := $(patsubst tests/clients/%.c,$(T)/%,$(wildcard tests/clients/*.c))
CLIENTS := $(CLIENT) $(T)/no_libcurl-static $(T)/record-tape $(T)/store-load $(T)/histories $(T)/incident $(T)/schedules $(FLAVOURS:%=$(T)/fetch-%) $(FLAVOURS:%=$(T)/plugin-%.so) $(T)/fidelity $(T)/failing_add.so $(T)/slow_library.so $(T)/shifted_clock.so $(T)/faults.so $(T)/slow_disk.so $(T)/audit.so $(T)/other_preload.so

$(T)/unit-config: $(call objects,config tests/unit/config)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion

# Its decoder is the suite's own, which can be without its libraries.
$(T)/unit-store: $(filter-out $(B)/obj/store/judge/decode.o,$(call objects,store config tests/unit/store))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(STORE_LIBS) -lpthread

$(T)/unit-tape: $(call objects,tape store config tests/unit/tape)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(STORE_LIBS) -lpthread

$(T)/unit-fleet: $(call objects,fleet config tests/unit/fleet)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(FLEET_LIBS) -lpthread

$(MOCK): $(call objects,tests/mock)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lmicrohttpd -ljansson -lpthread

# The runner is only a spectator, and criterion cannot run under the thread sanitizer.
$(E2E): override CFLAGS := $(filter-out -fsanitize%,$(CFLAGS))
$(E2E): override LDFLAGS := $(filter-out -fsanitize%,$(LDFLAGS))
$(E2E): $(call objects,tests/e2e tests/harness)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion -ljansson -lpthread

$(T)/%-openssl $(T)/%-openssl.so: CURL_FLAVOUR := -lcurl
$(T)/%-gnutls $(T)/%-gnutls.so: CURL_FLAVOUR = $(CURL_GNUTLS)

$(FLAVOURS:%=$(T)/fetch-%): $(call objects,tests/clients/fetch)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(CURL_FLAVOUR) -lpthread

$(FLAVOURS:%=$(T)/plugin-%.so): $(call objects,tests/clients/plugin)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^ $(CURL_FLAVOUR)

$(T)/failing_add.so: $(call objects,tests/clients/failing_add)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -Wl,--no-as-needed -o $@ $^ -lcurl -ldl

$(T)/slow_disk.so: $(call objects,tests/clients/slow_disk)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^ -ldl

$(T)/faults.so: $(call objects,tests/clients/faults)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^ -ldl

$(T)/audit.so: $(call objects,tests/clients/audit)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^

$(T)/other_preload.so: $(call objects,tests/clients/other_preload)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^ -ldl

$(T)/shifted_clock.so: $(call objects,tests/clients/shifted_clock)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^

$(T)/slow_library.so: $(call objects,tests/clients/slow_library)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -o $@ $^

$(T)/record-tape: $(call objects,tests/clients/tape tape store config)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(STORE_LIBS)

$(T)/store-load: $(call objects,tests/clients/store store config)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(STORE_LIBS) -lpthread

$(T)/histories: $(call objects,tests/histories store config)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(STORE_LIBS) -lpthread

$(T)/incident: $(call objects,tests/clients/incident)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcurl -lpthread

# Real exceptions where there is a compiler for them; else the unwinder alone.
CXX_FOUND := $(shell command -v $(CXX))
$(B)/obj/%.o: %.cc
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) $(filter-out -fsanitize%,$(filter -O% -g -f% -I% -D%,$(CFLAGS))) -Wall -Wextra $(WERROR) -MMD -MP -c -o $@ $<

$(T)/schedules: $(call objects,tests/clients/schedules) $(if $(CXX_FOUND),$(B)/obj/tests/clients/schedules/throw.o)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcurl -lpthread -ldl $(if $(CXX_FOUND),-lstdc++)

$(T)/no_libcurl-static: tests/clients/no_libcurl.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -fsanitize%,$(CFLAGS)) -static -o $@ $<

# As needed, for `no_libcurl` must not have it and `unload_plugin` gets it from its plugin alone.
$(CLIENT): $(T)/%: $(B)/obj/tests/clients/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $^ -lcurl -lpthread -ldl
$(T)/option_rows: $(B)/obj/shim/handle/options.o
$(T)/upstream_keys: $(B)/obj/shim/live/upstream_key.o
$(T)/pointer_map_threads: $(B)/obj/shim/base/pointer_map.o

# Old names and callbacks of every kind are what it is about.
$(B)/obj/tests/fidelity/%.o $(B)/obj/tests/clients/incident/%.o: override CFLAGS += -DCURL_DISABLE_DEPRECATION -DCURL_DISABLE_TYPECHECK

$(T)/fidelity: $(call objects,tests/fidelity)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcurl -lz -lpthread

# A sanitizer's runtime must come before everything else, also in programs that were not built with it. scripts/test says which
# programs look for leaks.
SAN_address   := libasan.so
SAN_undefined := libubsan.so
SAN_thread    := libtsan.so
SAN_MACHINE    = $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
SAN_clang_address   := libclang_rt.asan-$(SAN_MACHINE).so
SAN_clang_undefined := libclang_rt.ubsan_standalone-$(SAN_MACHINE).so
SAN_clang_thread    := libclang_rt.tsan-$(SAN_MACHINE).so
SAN_LOCALE := $(T)/setlocale.so
# The address sanitizer takes the stack of a thread that was cancelled for one in use when it asks for the stack of its signals.
SAN_ENV := $(if $(SAN),IDEM_SAN_PRELOAD="$(SAN_RUNTIME) $(abspath $(SAN_LOCALE))" \
  ASAN_OPTIONS=detect_leaks=0:use_sigaltstack=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)

$(SAN_LOCALE): tests/sanitizer/setlocale.c
	$(Q)mkdir -p $(@D) && $(CC) -O2 -fPIC -shared -o $@ $<

# A mock that both the demo and the tests call.
PRODUCT_AND_MOCK := $(PRODUCT) $(MOCK)

setup-%:
	$(Q)scripts/setup $*

# What is built on the way to something else is built by all processors, unless somebody has said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 1))

demo: setup-demo
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK)
	$(Q)scripts/demo $(B)

demo-fleet: setup-demo
	$(Q)command -v redis-server >/dev/null || scripts/setup test
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK)
	$(Q)scripts/demo-fleet $(B)

services: setup-services
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT)
	$(Q)scripts/services --build $(B)

# criterion's own arena does not work under the thread sanitizer: there the suites are those whose runner is not built with it.
ifeq ($(SAN),thread)
SUITES := $(foreach unit,$(UNIT),--skip $(unit) "criterion cannot run under the thread sanitizer") $(E2E)
else
SUITES := $(UNIT) $(E2E)
endif

# LIBCURL=FILE runs the scenarios of tests/fidelity with that libcurl; FIDELITY=GLOB only those whose names match.
check:
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(filter-out $(if $(filter thread,$(SAN)),$(UNIT)),$(UNIT) $(E2E)) $(CLIENTS) $(if $(SAN),$(SAN_LOCALE),$(T)/bench)
	$(Q)IDEM_BUILD=$(B) $(SAN_ENV) scripts/test $(SUITES)

test: setup-test
	$(Q)$(MAKE) --no-print-directory check

# With the languages that call libcurl (PHP's Guzzle, R, Ruby, Perl, Lua, cmake, git): half as much again on the disk, so that the tests
# of them are skipped where they are not installed. Then the rows of docs/clients.md whose programs are there.
test-clients:
	$(Q)scripts/setup test clients
	$(Q)$(MAKE) --no-print-directory check
	$(Q)$(if $(SAN),,scripts/clients --build $(B))

# The rows of docs/clients.md: on demand, for its languages and services are 4.4 gigabytes on a bare Debian 12. NAME: one of them;
# DISTROS: where scripts/distros has its Debian 13.
clients:
	$(Q)scripts/setup clients more-clients services
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK)
	$(Q)mkdir -p build/clients && npm install --silent --no-audit --no-fund --prefix build/clients koffi || echo "clients: npm cannot install koffi" >&2
	$(Q)scripts/clients --build $(B) $(if $(NAME),"$(NAME)")

# On demand: it makes a system and installs four gigabytes into it.
everything: all
	$(Q)scripts/everything $(RELEASE)

# A thousand handles of the multi interface for STRESS_SECONDS; with SAN=address and SAN=thread, too. STRESS_RESCUE=on: what is given up goes
# to copies of the process.
STRESS_SECONDS ?= 60
STRESS_RESCUE  ?= off
stress:
	$(Q)scripts/setup test
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(E2E) $(T)/multi_stress $(if $(SAN),$(SAN_LOCALE))
	$(Q)IDEM_BUILD=$(B) IDEMSHIM_STRESS_SECONDS=$(STRESS_SECONDS) IDEMSHIM_STRESS_RESCUE=$(STRESS_RESCUE) \
	  IDEM_RUN_DEADLINE_MS=600000 $(SAN_ENV) \
	  $(E2E) --verbose --timeout 900 --filter 'multi/a_thousand_handles_under_stress'

# What is too long for `make test`, part by part (scripts/campaign --list), each from the seed SEED and in its full length, or again and again
# for SECONDS; PAIRS, SCHEDULES, KILLS, CUTS: so many in place of that length, and one schedule is that seed in each setting. Each part that
# comes to its end adds a line to docs/reliability/runs.jsonl. The schedules with SAN=address are for CC=clang-19 (docs/design.md says why).
SEED    ?= 1
SECONDS ?=
PART    ?= pairs schedules kills cuts below histories fleet faults
CAMPAIGN = $(SAN_ENV) $(if $(SAN),IDEM_UNSANITIZED=$(abspath build)) scripts/campaign --build $(B) --seed $(SEED) \
  $(addprefix --seconds ,$(SECONDS)) $(addprefix --san ,$(SAN)) $(addprefix --size ,$(firstword $(PAIRS) $(SCHEDULES) $(KILLS) $(CUTS)))
torture:
	$(Q)scripts/setup test
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(E2E) $(if $(filter thread,$(SAN)),,$(T)/unit-store) $(CLIENTS) $(if $(SAN),$(SAN_LOCALE))
	$(if $(SAN),$(Q)$(MAKE) --no-print-directory SAN= build/tests/schedules)
	$(Q)$(CAMPAIGN) $(if $(SAN),$(filter-out faults below $(if $(filter thread,$(SAN)),kills cuts),$(PART)),$(PART))

# What looks at the sources and at the tests rather than at what they do: changes of one token that no test minds (N of them from SEED, in
# ROOM), two analysers, and how much is come to (SUITES_OF of the end-to-end suites besides the units).
N      ?= 20
mutate:
	$(Q)scripts/setup test
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(UNIT) $(E2E) $(CLIENTS)
	$(Q)scripts/mutate --build $(B) --seed $(SEED) --count $(N) $(ROOM)

analyze:
	$(Q)scripts/setup analyze
	$(Q)scripts/analyze

coverage:
	$(Q)scripts/setup test
	$(Q)scripts/coverage $(addprefix --suites ,$(SUITES_OF))

curl-suite:
	$(Q)scripts/setup build curl
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT)
	$(Q)B=$(B) scripts/curl-suite $(CURL)

style: setup-style
	$(Q)scripts/style --tidy

.PHONY: demo demo-fleet services check test test-clients clients everything stress torture mutate analyze coverage curl-suite style

$(T)/bench: $(call objects,tests/bench)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcurl -llmdb -lcrypto -lpthread

$(T)/tables: $(call objects,tests/tables store config)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(STORE_LIBS) -lpthread

# What every preload costs: nothing in it, and libc.
$(T)/empty.so:
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -shared -Wl,--no-as-needed -o $@ -x c /dev/null -lc

# What a hit, a miss, a call that is not ours and a setopt cost, against what is kept. WRITE=1 keeps it.
instructions: setup-bench
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT) $(T)/bench
	$(Q)scripts/instructions $(if $(WRITE),--write) $(B)

# ROW: one of them, by its name (scripts/bench --list) or a glob; OUT: JSON, into that file; ROUNDS; STORE=1: a store as it grows, to each of
# COUNTS answers.
ROUNDS ?= 5
bench: setup-bench
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(T)/bench $(T)/tables $(T)/store-load $(T)/empty.so $(T)/slow_disk.so
ifdef STORE
	$(Q)scripts/bench-store $(B)
else
	$(Q)[ -d build/bench/node_modules ] || ! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix build/bench wiremock || true
	$(Q)scripts/bench --rounds $(ROUNDS) $(if $(ROW),--row '$(ROW)') $(if $(OUT),-o '$(OUT)') $(B)
endif

# How costs grow, measured and drawn into docs/growth.
growth: setup-bench
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(PRODUCT_AND_MOCK) $(T)/bench $(T)/tables $(T)/store-load $(T)/slow_disk.so
	$(Q)scripts/growth $(B)

.PHONY: bench growth instructions

# libFuzzer, so clang, and a build of its own in build/fuzz. Each fuzzer runs FUZZ_SECONDS (or SECONDS) from tests/fuzz/corpus, what it makes of
# that and the seed SEED; a finding stops it and leaves its input in build/fuzz. Each adds its line, as in torture.
FUZZERS := $(filter-out $(if $(HAS_FLEET),,fuzz_reply fuzz_verbs),$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SHIM := base/buffer base/http_header base/pieces handle/url request/cookies transport/transport_header
FUZZ_OBJECTS := $(filter-out $(B)/obj/cli/main.o,$(call objects,config store tape cli $(if $(HAS_FLEET),fleet))) $(FUZZ_SHIM:%=$(B)/obj/shim/%.o)
FUZZ_SAN := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

$(B)/fuzzed.a: $(FUZZ_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) -rcs $@ $^

$(B)/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/fuzzed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(FUZZ_SAN) -o $@ $^ $(STORE_LIBS) $(if $(HAS_FLEET),$(FLEET_LIBS)) -ljansson -lcurl

fuzz: setup-fuzz
	$(Q)$(MAKE) --no-print-directory $(JOBS) B=$(B)/fuzz CC=clang CFLAGS='-DIDEM_SANITIZED -O1 -g $(subst fuzzer,fuzzer-no-link,$(FUZZ_SAN))' $(FUZZERS:%=$(B)/fuzz/%)
	$(Q)scripts/campaign --build $(B) --seed $(SEED) --seconds $(or $(SECONDS),$(FUZZ_SECONDS)) $(FUZZERS)

.PHONY: fuzz
