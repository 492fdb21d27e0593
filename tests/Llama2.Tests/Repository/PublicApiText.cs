using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Writes the exported types of an assembly as text, sorted, one member per line.</summary>
internal static class PublicApiText
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> _keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(char)] = "char",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
    };

    /// <summary>Compares an assembly's text with the approved one, or with LLAMA2_APPROVE=1 approves it.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <param name="project">The folder of the tests, in the repository.</param>
    /// <param name="file">The approved text, in that folder.</param>
    public static void AssertApproved(Assembly assembly, string project, string file)
    {
        string received = Of(assembly), approvedPath = Path.Combine(TestData.Repository, project, file);
        if (Environment.GetEnvironmentVariable("LLAMA2_APPROVE") == "1")
        {
            File.WriteAllText(approvedPath, received);
        }

        string approved = File.Exists(approvedPath) ? File.ReadAllText(approvedPath).ReplaceLineEndings("\n") : "";
        if (approved != received)
        {
            string receivedPath = Path.Combine(TestData.Repository, "artifacts", "PublicApi.received.txt");
            Directory.CreateDirectory(Path.GetDirectoryName(receivedPath)!);
            File.WriteAllText(receivedPath, received);
            string[] before = approved.Split('\n'), after = received.Split('\n');
            string difference = string.Join('\n', [.. before.Except(after).Select(line => $"- {line}"), .. after.Except(before).Select(line => $"+ {line}")]);
            Assert.Fail(
                $"The public surface changed:\n{difference}\nIf that is meant, review it and approve it with\n" +
                $"  LLAMA2_APPROVE=1 dotnet test {project} --filter FullyQualifiedName~PublicApiTests");
        }
    }

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (IGrouping<string?, Type> space in assembly.GetExportedTypes().GroupBy(type => type.Namespace).OrderBy(space => space.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"namespace {space.Key}\n");
            foreach (Type type in space.OrderBy(type => type.FullName, StringComparer.Ordinal))
            {
                text.Append(CultureInfo.InvariantCulture, $"\n  {Header(type)}\n");
                foreach (string member in Members(type))
                {
                    text.Append(CultureInfo.InvariantCulture, $"    {member}\n");
                }
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string Header(Type type)
    {
        bool isRecord = type.GetMethod("PrintMembers", Declared) is not null;
        string kind =
            type.IsEnum ? "enum" :
            type.IsInterface ? "interface" :
            type.IsValueType ? $"{(type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "")}{(type.IsByRefLike ? "ref " : "")}{(isRecord ? "record " : "")}struct" :
            (type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "") + (isRecord ? "record" : "class");
        IEnumerable<Type> bases = type.IsEnum ? [] : type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []);
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && !type.IsEnum)
        {
            bases = bases.Prepend(parent);
        }

        string list = string.Join(", ", bases.Select(Name).Order(StringComparer.Ordinal));
        return $"public {kind} {Name(type)}{(list.Length > 0 ? $" : {list}" : "")}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetNames(type).Select(name => string.Create(CultureInfo.InvariantCulture, $"{name} = {Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture)}"));
        }

        var lines = new List<string>();
        lines.AddRange(type.GetFields(Declared).Where(IsVisible).Select(Field));
        lines.AddRange(type.GetConstructors(Declared).Where(IsVisible).Select(method => $"{Access(method)}.ctor({Parameters(method)})"));
        lines.AddRange(type.GetProperties(Declared).Where(property => property.GetAccessors(nonPublic: true).Any(IsVisible)).Select(Property));
        lines.AddRange(type.GetMethods(Declared)
            .Where(method => IsVisible(method) && !method.IsDefined(typeof(CompilerGeneratedAttribute)) && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)))
            .Select(method => $"{Access(method)}{Name(method.ReturnParameter)} {method.Name}{Generics(method)}({Parameters(method)})"));
        return lines.Order(StringComparer.Ordinal);
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool IsVisible(FieldInfo field) => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly;

    private static string Access(MethodBase method)
    {
        bool isOverride = method is MethodInfo info && info.GetBaseDefinition() != info;
        return (method.IsPublic ? "" : "protected ")
            + (method.IsStatic ? "static " : isOverride ? "override " : method.DeclaringType!.IsInterface ? "" : method.IsAbstract ? "abstract " : method.IsVirtual && !method.IsFinal ? "virtual " : "");
    }

    private static string Field(FieldInfo field) =>
        $"{(field.IsPublic ? "" : "protected ")}{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}" +
        $"{Name(new NullabilityInfoContext().Create(field))} {field.Name}{(field.IsLiteral ? $" = {Value(field.GetRawConstantValue())}" : "")}";

    private static string Property(PropertyInfo property)
    {
        MethodInfo first = property.GetAccessors(nonPublic: true).First(IsVisible);
        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        string name = property.GetIndexParameters() is { Length: > 0 } ? $"this[{string.Join(", ", property.GetIndexParameters().Select(Parameter))}]" : property.Name;
        string get = property.GetMethod is { } getter && IsVisible(getter) ? "get; " : "";
        string set = "";
        if (property.SetMethod is { } setter && IsVisible(setter))
        {
            bool isInit = setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));
            set = $"{(first.IsPublic && !setter.IsPublic ? "protected " : "")}{(isInit ? "init" : "set")}; ";
        }

        return $"{Access(first)}{required}{Name(new NullabilityInfoContext().Create(property))} {name} {{ {get}{set}}}";
    }

    private static string Parameters(MethodBase method) =>
        (method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "") + string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter) =>
        $"{(parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "")}{(parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : "")}" +
        $"{Name(parameter)} {parameter.Name}{(parameter.HasDefaultValue ? $" = {Value(parameter.DefaultValue)}" : "")}";

    private static string Generics(MethodInfo method) =>
        method.IsGenericMethodDefinition ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Value(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Name(ParameterInfo parameter) => Name(new NullabilityInfoContext().Create(parameter));

    /// <summary>A type with a question mark on everything in it that may be null.</summary>
    private static string Name(NullabilityInfo info)
    {
        Type type = info.Type.IsByRef ? info.Type.GetElementType()! : info.Type;
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return $"{Name(underlying)}?";
        }

        string name =
            info.ElementType is { } element ? $"{Name(element)}[]" :
            info.GenericTypeArguments.Length > 0 ? Generic(type, info.GenericTypeArguments.Select(Name)) :
            Name(type);
        return !type.IsValueType && info.ReadState == NullabilityState.Nullable ? $"{name}?" : name;
    }

    private static string Name(Type type) =>
        _keywords.TryGetValue(type, out string? keyword) ? keyword :
        Nullable.GetUnderlyingType(type) is { } underlying ? $"{Name(underlying)}?" :
        type.IsArray ? $"{Name(type.GetElementType()!)}[]" :
        type.IsGenericType ? Generic(type, type.GetGenericArguments().Select(Name)) :
        type.IsNested && !type.IsGenericParameter ? $"{Name(type.DeclaringType!)}.{type.Name}" :
        type.Name;

    private static string Generic(Type type, IEnumerable<string> arguments)
    {
        string[] names = [.. arguments];
        return type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) is true
            ? $"({string.Join(", ", names)})"
            : $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", names)}>";
    }
}
