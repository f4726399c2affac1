"""From role programs to C++ text and the plan; decides nothing."""
