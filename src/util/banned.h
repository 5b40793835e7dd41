/* Functions nobody here calls; tests/house/banned also greps for them. */
#ifndef UTIL_BANNED_H
#define UTIL_BANNED_H

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets
#pragma GCC poison strtok localtime gmtime ctime asctime tmpnam mktemp
#pragma GCC poison atoi atol atoll atof alloca system popen

#endif
