# Writes output/000.txt to output/100.txt, waiting DELAY seconds (1) before each.
for number in {000..100}
do
    sleep "${DELAY:-1}"
    echo "$number" > "output/$number.txt"
    echo "output/$number.txt is written"
done
