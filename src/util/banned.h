/* Functions nobody here calls; tests/house/banned also greps for them, and for
 * calls of system(), whose name is a field of llm_request. */
#ifndef UTIL_BANNED_H
#define UTIL_BANNED_H

#undef alloca
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets
#pragma GCC poison strtok localtime gmtime ctime asctime tmpnam mktemp
#pragma GCC poison atoi atol atoll atof alloca popen

#endif
