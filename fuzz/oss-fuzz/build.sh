#!/bin/bash -eu
# SPDX-License-Identifier: GPL-2.0-or-later
# What OSS-Fuzz and ClusterFuzzLite run in the image: all targets with the sanitizer that the environment names, their
# seeds, dictionary and options. ./check runs it without an image.
cd "$SRC/lguest"
export LGUEST_REQUIRE_REFERENCE=1 LGUEST_FETCH=0
targets="nopae pae both text"

case $SANITIZER in
  coverage)
    # Source coverage, which the compilers' flags ask for, is all the instrumentation there is to be. Not optimised: a
    # crash of the original leaves counts in registers behind.
    (cd fuzz && LGUEST_C_COVER=off LGUEST_C_OPT=0 cargo build --locked --bins)
    built=fuzz/target/debug
    ;;
  *)
    (cd fuzz && LGUEST_C_UBSAN=1 cargo fuzz build -O --debug-assertions --fuzz-dir .)
    built=fuzz/target/x86_64-unknown-linux-gnu/release
    ;;
esac

# The seeds are made by the rig itself, which is no fuzzer's build; LGDIFF names one that is built already.
seeds=$WORK/seeds
rm -rf "$seeds" && mkdir -p "$seeds"/{scenarios,text}
(
  unset CFLAGS CXXFLAGS RUSTFLAGS CC CXX
  [ -n "${LGDIFF:-}" ] || cargo build --quiet --locked --release --bin lgdiff
  for file in corpora/regression/*.scn corpora/findings/*.scn; do
    name=$(basename "$file" .scn)
    "${LGDIFF:-target/release/lgdiff}" convert "$file" -o "$seeds/scenarios/$name.lgs"
    cp "$file" "$seeds/text/$name"
  done
)

for target in $targets; do
  cp "$built/$target" "$OUT/"
  case $target in
    text) from=text length=65536 ;;
    *) from=scenarios length=16384 ;;
  esac
  rm -f "$OUT/${target}_seed_corpus.zip"
  (cd "$seeds/$from" && zip -q -r "$OUT/${target}_seed_corpus.zip" .)
  printf '[libfuzzer]\nmax_len = %s\n' "$length" >"$OUT/$target.options"
done
cp fuzz/dictionaries/text.dict "$OUT/text.dict"
echo "dict = text.dict" >>"$OUT/text.options"
