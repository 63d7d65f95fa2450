"""The course beside other people's libraries, both sides in one go: python -m tools.benchmarks.searched"""
