# idemshim: build, test, measure, install.
#
#   make             build/libidemshim.so, build/libidemshim-store.so, build/idemshim; where the headers of hiredis and c-ares are,
#                    build/libidemshim-fleet.so
#   make demo        set up, build, and see a call paid for once
#   make demo-fleet  two machines that share a Redis, and one call
#   make check       build and run every test; installs nothing, and what is missing is skipped
#   make test        set up, then check
#   make stress      a thousand handles of the multi interface, STRESS_SECONDS (60); also with SAN=address|thread, STRESS_RESCUE=on
#   make torture     what is too long for make test, PART by part from the seed SEED, whole or for SECONDS each; scripts/campaign --list
#   make curl-suite  the HTTP tests of curl itself, with the library and without; CURL=7.88, or a directory with curl's source
#   make clients     the rows of docs/clients.md: clients and services, and what the doctor says of each; NAME=Guile
#   make everything  276 programs of Debian, preloaded and not, in a debootstrap; RELEASE=11|12|13
#   make bench       the budgets, side by side with peers; ROW=NAME: one of them; STORE=1: a store as it grows, to each of COUNTS answers
#   make growth      pictures of how costs grow with answers, sizes, processes and machines, into docs/growth
#   make instructions  those of a hit, a miss, a stream, a call that is not ours and a setopt, against what tests/bench/instructions keeps
#   make mutate      which changes of one token no test minds: N of them from SEED, in ROOM; analyze: gcc -fanalyzer and cppcheck; coverage
#   make fuzz        the fuzzers, FUZZ_SECONDS each, from the seed SEED
#   make style       clang-format, clang-tidy, the layers and the bans of scripts/style
#   make install     prefix=/usr/local DESTDIR=      make uninstall      make clean
#   make dist        build/idemshim-VERSION.tar.xz, of HEAD
#   make deb         Debian's packages, of HEAD, into build/deb; twice: two builds of them, and do they differ; rpm: by rpmbuild
#
# Knobs: V=1 shows commands; SAN=address|undefined|thread builds into build/SAN; CC=clang;
#        WERROR= turns warnings back into warnings; LIBCURL_INCLUDE=DIR is where another libcurl's curl/curl.h is (7.68 or newer);
#        SOURCE_DATE_EPOCH=N leaves the directory out of what is built, so that it is the same wherever that was.
# Where things go: GNU's variables (bindir, libdir, mandir, docdir ...), and one for each shell's completions.

SAN     ?=
V       ?=
WERROR  ?= -Werror
FUZZ_SECONDS ?= 60

VERSION := 0.2.0
# Where the loader looks for a name without a slash: lib/x86_64-linux-gnu on Debian, lib64 on Fedora, else lib. What else there
# is goes into a folder of its own in it. clang does not tell, and has the C library there.
LIB = $(or $(addprefix lib/,$(shell $(CC) -print-multiarch 2>/dev/null)),\
  $(filter lib%,$(notdir $(shell $(CC) -print-multi-os-directory 2>/dev/null))),\
  $(filter lib%,$(patsubst /%/libc.so.6,%,$(patsubst /usr/%,/%,$(shell $(CC) -print-file-name=libc.so.6 2>/dev/null)))),lib)
B       := build$(if $(SAN),/$(SAN))
Q       := $(if $(V),,@)
,       := ,
say      = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-6s %s\n' '$(1)' '$(2)')

CFLAGS  ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
  -Wformat=2 $(WERROR) $(if $(LIBCURL_INCLUDE),-isystem $(LIBCURL_INCLUDE)) -fPIC -fvisibility=hidden -fno-common -I. -DIDEM_VERSION='"$(VERSION)"' -D_GNU_SOURCE \
  $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DIDEM_SANITIZED)
override LDFLAGS += $(if $(SAN),-fsanitize=$(SAN))
# clang's runtime is in each object unless it is asked for as a library, which lies where no loader looks. The address sanitizer
# of clang 19 holds its locks over a fork, those of gcc 12 and 14 do not; but no macro of gcc's name tells the code of it.
SAN_CLANG := $(if $(SAN),$(findstring clang,$(shell $(CC) --version)))
SAN_RUNTIME = $(shell $(CC) -print-file-name=$(SAN_$(if $(SAN_CLANG),clang_)$(SAN)))
override CFLAGS += $(if $(SAN_CLANG),$(if $(filter address,$(SAN)),-D__SANITIZE_ADDRESS__=1))
override LDFLAGS += $(if $(SAN_CLANG),-shared-libsan -Wl$(,)-rpath$(,)$(dir $(SAN_RUNTIME)))
override CFLAGS += $(if $(SOURCE_DATE_EPOCH),-ffile-prefix-map=$(CURDIR)=.)
# Until gcc 11 a compound literal as the last member of an initializer is taken for members that were forgotten.
override CFLAGS += $(if $(filter 8 9 10,$(shell $(CC) -dumpversion)),-Wno-missing-field-initializers)
# A machine that this is not for: nothing is said behind the one word with which each file begins there.
OTHER_MACHINE := $(shell $(CC) $(CFLAGS) -E -include config/c17_names.h -x c /dev/null >/dev/null 2>&1 || echo yes)
override CFLAGS += $(if $(OTHER_MACHINE),-Wfatal-errors)
HARDEN  := -Wl,-z,relro,-z,now
# Sanitizer runtimes come from the program, so their builds cannot insist on complete symbols.
SHARED  := -shared $(HARDEN) $(if $(SAN),,-Wl,-z,defs) -Wl,--as-needed

# Only what is opened late has the allocator, which calls that of the program.
ALLOCATOR := $(B)/obj/config/allocator.o
objects  = $(filter-out $(ALLOCATOR),$(patsubst %,$(B)/obj/%.o,$(basename $(wildcard $(foreach at,/ /*/,$(addsuffix $(at)*.c,$(1)) $(addsuffix $(at)*.S,$(1)))))))
FRONT   := $(call objects,shim config)
STORED  := $(call objects,store tape) $(addprefix $(B)/obj/config/,error.o glob.o names.o thread.o) $(ALLOCATOR)
COMMAND := $(call objects,cli tape store config)
STORE_LIBS := -llmdb -lcrypto -ldl -lpthread
# The store of many machines is opened only where IDEMSHIM_FLEET is set.
FLEET_LIBS := -lhiredis -lcares -lssl -lcrypto -ldl
HAS_FLEET := $(shell printf '\43include <stdio.h>\n\43include <hiredis/hiredis.h>\n\43include <ares.h>\n' | $(CC) -E -P - >/dev/null 2>&1 && echo yes)
SHARED_CLIENT := $(if $(HAS_FLEET),$(call objects,fleet) $(addprefix $(B)/obj/config/,arena.o error.o file.o place.o text.o) $(ALLOCATOR))

PRODUCT := $(B)/libidemshim.so $(B)/libidemshim-store.so $(if $(HAS_FLEET),$(B)/libidemshim-fleet.so) $(B)/idemshim

all: $(PRODUCT) $(if $(HAS_FLEET),,no-fleet)

no-fleet:
	$(call say,SKIP,$(B)/libidemshim-fleet.so: the headers of hiredis and c-ares are not here)

# The front is mapped into every program that is started: without the tables that only the command prints, in two segments
# rather than four, with functions found when they are first called, and without the empty function that crti.o has for the end
# of an object, which is on a page that nothing else is asked of, it costs each of them half as much.
$(B)/obj/config/%.o $(B)/obj/shim/%.o: override CFLAGS += -ffunction-sections -fdata-sections
$(foreach room,config fleet shim store tape,$(B)/obj/$(room)/%.o): override CFLAGS += -include config/c17_names.h
SMALL := -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,lazy -Wl,-fini=idem_no_fini
# An older glibc has what the front uses in two more libraries, which a program that opens libcurl late has not brought itself.
OLD_GLIBC := $(shell printf '\43include <features.h>\n\43if !__GLIBC_PREREQ(2, 34)\nyes\n\43endif\n' | $(CC) -E -P - 2>/dev/null | grep yes)
OLD_GLIBC_LIBS := -Wl,--no-as-needed -lpthread -ldl

$(B)/libidemshim.so: $(FRONT) shim/exports.map
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(SHARED) $(if $(SAN),,$(SMALL)) -Wl,--version-script=shim/exports.map -Wl,-soname,libidemshim.so -o $@ $(FRONT) $(if $(OLD_GLIBC),$(OLD_GLIBC_LIBS))

$(B)/libidemshim-store.so: $(STORED)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(SHARED) -Wl,--version-script=store/exports.ver -Wl,-soname,libidemshim-store.so -o $@ $(STORED) $(STORE_LIBS)

$(B)/libidemshim-fleet.so: $(SHARED_CLIENT)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(SHARED) -Wl,--version-script=fleet/exports.ver -Wl,-soname,libidemshim-fleet.so -o $@ $(SHARED_CLIENT) $(FLEET_LIBS)

$(B)/idemshim: $(COMMAND)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(HARDEN) -o $@ $(COMMAND) $(STORE_LIBS) -ljansson -pthread

$(B)/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# A sanitizer's runtime calls dlsym() before it is ready for code that it instruments.
$(B)/obj/shim/hooks/hook_dl.o $(B)/obj/shim/libcurl/dl.o: override CFLAGS := $(filter-out -fsanitize%,$(CFLAGS)) -include config/c17_names.h

$(B)/obj/%.o: %.S Makefile
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fsanitize%,$(CFLAGS)) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/cli/report/assets.o: cli/report/report.css cli/report/report.js
$(B)/obj/fleet/scripts.o: fleet/operation.lua

# XXH3 keeps its sums in registers then, and takes a third fewer instructions for a text.
$(B)/obj/store/key/key.o $(B)/obj/store/key/text_hash.o: override CFLAGS := $(patsubst -O2,-O3,$(CFLAGS)) -include config/c17_names.h
$(B)/obj/store/key/text_hash.o: override CFLAGS += $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-mavx2)

# The hooks are declared by curl.h with variable arguments and, for old names, with warnings.
$(B)/obj/shim/%.o: override CFLAGS += -DCURL_DISABLE_DEPRECATION -DCURL_DISABLE_TYPECHECK -ftls-model=initial-exec

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/obj/*/*/*/*.d)
include tests/tests.mk

PREFIX        ?= /usr/local
DESTDIR       ?=
prefix         = $(PREFIX)
exec_prefix    = $(prefix)
bindir         = $(exec_prefix)/bin
libdir         = $(exec_prefix)/$(LIB)
datarootdir    = $(prefix)/share
mandir         = $(datarootdir)/man
docdir         = $(datarootdir)/doc/idemshim
examplesdir    = $(docdir)/examples
bashcompletiondir = $(datarootdir)/bash-completion/completions
zshcompletiondir  = $(datarootdir)/zsh/site-functions
fishcompletiondir = $(datarootdir)/fish/vendor_completions.d
INSTALL         = install
INSTALL_PROGRAM = $(INSTALL) -m 755
INSTALL_DATA    = $(INSTALL) -m 644

# The command finds the library from where it is itself, so that both can be moved.
$(B)/obj/cli/launch/launch.o $(B)/obj/cli/doctor/preload.o $(B)/obj/store/state/fleet_store.o: override CFLAGS += \
  -DIDEM_LIB='"$(patsubst ../%,%,$(shell realpath -ms --relative-to='$(bindir)' '$(libdir)'))"'

MAN := docs/idemshim.1 docs/idemshim-rules.5 docs/idemshim.7

# The loader looks in its cache before it has looked anywhere.
LDCONFIG = $(Q)[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || PATH=$$PATH:/usr/sbin:/sbin ldconfig

install: all
	$(Q)$(INSTALL) -d "$(DESTDIR)$(libdir)/idemshim" "$(DESTDIR)$(bindir)"
	$(Q)$(INSTALL_PROGRAM) $(B)/libidemshim.so "$(DESTDIR)$(libdir)/"
	$(Q)$(INSTALL_PROGRAM) $(filter %-store.so %-fleet.so,$(PRODUCT)) "$(DESTDIR)$(libdir)/idemshim/"
	$(Q)$(INSTALL_PROGRAM) $(B)/idemshim "$(DESTDIR)$(bindir)/"
	$(Q)for page in $(MAN); do $(INSTALL) -d "$(DESTDIR)$(mandir)/man$${page##*.}" && \
	  $(INSTALL_DATA) $$page "$(DESTDIR)$(mandir)/man$${page##*.}/" || exit 1; done
	$(Q)$(INSTALL) -d "$(DESTDIR)$(bashcompletiondir)" "$(DESTDIR)$(zshcompletiondir)" "$(DESTDIR)$(fishcompletiondir)"
	$(Q)$(INSTALL_DATA) completions/idemshim.bash "$(DESTDIR)$(bashcompletiondir)/idemshim"
	$(Q)$(INSTALL_DATA) completions/idemshim.zsh "$(DESTDIR)$(zshcompletiondir)/_idemshim"
	$(Q)$(INSTALL_DATA) completions/idemshim.fish "$(DESTDIR)$(fishcompletiondir)/idemshim.fish"
	$(Q)for file in $$(cd examples && find . -type f | sort); do $(INSTALL) -d "$(DESTDIR)$(examplesdir)/$${file%/*}" && \
	  $(INSTALL_DATA) examples/$$file "$(DESTDIR)$(examplesdir)/$$file" || exit 1; done
	$(LDCONFIG)

# Folders that were ours alone go, too.
uninstall:
	$(Q)rm -f "$(DESTDIR)$(libdir)/libidemshim.so" "$(DESTDIR)$(libdir)/idemshim/libidemshim-store.so" \
	  "$(DESTDIR)$(libdir)/idemshim/libidemshim-fleet.so" "$(DESTDIR)$(bindir)/idemshim" \
	  "$(DESTDIR)$(bashcompletiondir)/idemshim" "$(DESTDIR)$(zshcompletiondir)/_idemshim" "$(DESTDIR)$(fishcompletiondir)/idemshim.fish"
	$(Q)for page in $(MAN); do rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; done
	$(Q)for file in $$(cd examples && find . -type f); do rm -f "$(DESTDIR)$(examplesdir)/$$file"; done
	$(Q)for folder in "$(DESTDIR)$(libdir)/idemshim" "$(DESTDIR)$(docdir)"; do \
	  [ ! -d "$$folder" ] || find "$$folder" -depth -type d -empty -delete; done
	$(LDCONFIG)

# Of HEAD alone, with its time: the same commit makes the same archive.
DIST := build/idemshim-$(VERSION).tar.xz
dist:
	$(Q)mkdir -p build
	$(Q)git archive --format=tar --prefix=idemshim-$(VERSION)/ HEAD | xz -9e --threads=1 >$(DIST).new && mv $(DIST).new $(DIST)
	@echo $(DIST)

deb rpm twice:
	$(Q)scripts/setup $(patsubst twice,deb,$@)
	$(Q)$(MAKE) --no-print-directory dist
	$(Q)scripts/package $@ $(DIST) build/$@

clean:
	$(Q)rm -rf build

.PHONY: all no-fleet install uninstall dist deb rpm twice clean
.DELETE_ON_ERROR:
